"""The notebook for the EBRAINS Lab, run from top to bottom against a rehearsal."""

import base64
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from remote_fixtures import TOKEN_START

from backends.rehearsal import Rehearsal

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "ebrains_spinnaker.ipynb"
SMALL = 'CHANGES = ["trials=5"]'


@pytest.fixture
def queue(monkeypatch, tmp_path):
    """A rehearsal that the notebook's kernel takes for EBRAINS."""
    # What Jupyter keeps of its own, and where it looks for kernels.
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.delenv("PYNN_EBRAINS_SETTINGS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("EBRAINS_POLL_FIRST", "0.1")
    monkeypatch.setenv("EBRAINS_POLL_LAST", "0.2")
    with Rehearsal("nest") as rehearsal:
        monkeypatch.setenv("EBRAINS_BASE_URL", rehearsal.base_url)
        assert rehearsal.token().startswith(TOKEN_START)
        monkeypatch.setenv("EBRAINS_AUTH_TOKEN", rehearsal.token())
        yield rehearsal


def run(cells, runs):
    """Run cells in a new kernel; what each printed or showed."""
    notebook = nbformat.v4.new_notebook(cells=cells)
    for cell in cells:
        if cell.cell_type == "code":
            cell.source = cell.source.replace('ROOT / "runs"', f"Path({str(runs)!r})")
            cell.source = cell.source.replace("CHANGES = []", f"{SMALL} or []")
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, kernel_name="python3", timeout=120, resources=place).execute()
    return [cell.get("outputs", []) for cell in notebook.cells]


def printed(outputs):
    return "".join(o.get("text", "") for cell in outputs for o in cell if o.get("name") == "stdout")


def pictures(outputs):
    shown = [o.get("data", {}) for cell in outputs for o in cell]
    return [base64.b64decode(data["image/png"]) for data in shown if "image/png" in data]


def test_submit_leave_come_back_raster(queue, tmp_path):
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    tags = [cell.metadata.get("tags", []) for cell in cells]
    here = next(k for k, tag in enumerate(tags) if "come-back" in tag)
    setup = [cell for cell, tag in zip(cells, tags, strict=True) if "setup" in tag]

    queue.stop_provider()  # the job waits in the queue while its owner is away
    first = run([cell.copy() for cell in cells[:here]], tmp_path)
    assert "neurons" in printed(first) and "job 1 goes on at" in printed(first)
    queue.start_provider()
    second = run([cell.copy() for cell in setup + cells[here:]], tmp_path)

    assert "saved recording-" in printed(second)
    assert "noise" in printed(second)
    assert len(queue.jobs) == 1
    (picture,) = pictures(second)
    assert picture.startswith(b"\x89PNG") and len(picture) > 5000
    assert TOKEN_START not in str(first) + str(second)


def test_the_notebook_is_kept_without_outputs():
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None

"""From the output files of an ended job to a complete run folder."""

from __future__ import annotations

import dataclasses
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pynn_model.experiment import Experiment
from pynn_model.recording import Recording, RecordingError
from pynn_model.schema import ExperimentError

from ..base import ServiceError
from ..local import git_state
from ..runstore import Run
from . import logs
from .client import QueueClient
from .downloads import PART, Downloader, DownloadRefused, Item, items
from .record import JobRecord

OUTPUTS = "outputs"
_RECORDING = re.compile(r"recording-[0-9a-f]+-[0-9a-zA-Z]+(-\d+)?\.npz")


class NoRecording(Exception):
    """The job's outputs hold no recording of the experiment; the message says why.

    final: whether asking again cannot change that.
    """

    def __init__(self, why: str, final: bool = True) -> None:
        self.final = final
        super().__init__(why)


def is_recording(item: Item) -> bool:
    """Whether an output file bears the name that the script gives its recording."""
    return _RECORDING.fullmatch(item.name) is not None


class Harvest:
    """Fetches what an ended job left. The run must be locked all the while."""

    def __init__(self, run: Run, record: JobRecord, client: QueueClient) -> None:
        self.run, self.record, self.client = run, record, client

    def fetch(self, job: Mapping[str, Any], wanted: bool = True) -> list[Path]:
        """Bring every output file home; the recording comes first.

        A file that cannot be had is noted and passed over. Where the service does not answer,
        Temporary is raised, unless the files are extras of a failed job (not `wanted`).
        """
        listed = items(job, self.record.outputs)
        listed.sort(key=lambda item: not is_recording(item))
        for item in listed:
            self.record.outputs.setdefault(item.url, {"name": item.name})
        self._save()
        downloader = Downloader(
            self.run.partial / OUTPUTS,
            self.client.settings,
            self.client.clock,
            self.client.transport,
        )
        paths = []
        try:
            for item in listed:
                path = self._fetch_one(downloader, item, wanted)
                if path is not None:
                    paths.append(path)
        finally:
            downloader.close()
        return paths

    def _fetch_one(self, downloader: Downloader, item: Item, wanted: bool) -> Path | None:
        note = self.record.outputs[item.url]
        try:
            path = downloader.fetch(item, note, self._save)
            if note.pop("problem", None):
                self._save()
            return path
        except DownloadRefused as error:
            note["problem"] = str(error)
        except ServiceError as error:
            if wanted and is_recording(item):
                raise
            note["problem"] = str(error)
        self._save()
        self.client.notice(f"{item.name} was not fetched: {note['problem']}")
        return None

    def recording(self, paths: list[Path]) -> Recording:
        """The recording of the experiment among the files; NoRecording if there is none."""
        found: Recording | None = None
        problems = [
            f"{note['name']}: {note['problem']}"
            for note in self.record.outputs.values()
            if note.get("problem")
        ]
        final = not problems
        for path in paths:
            try:
                recording = self._load(path)
            except (RecordingError, NoRecording) as error:
                problems.append(f"{path.name}: {error}")
                if isinstance(error, RecordingError):
                    self._forget(path)
                    final = False
            else:
                found = found or recording
        if found is None:
            if not self.record.outputs:
                raise NoRecording("its data have not come", final=False)
            raise NoRecording("; ".join(problems) or "there is none among its outputs", final)
        return found

    def _load(self, path: Path) -> Recording | None:
        """The recording in a file, whatever the server calls it; None if it is another file."""
        try:
            with zipfile.ZipFile(path) as archive:
                sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            if path.suffix != ".npz":
                return None
            raise RecordingError(f"damaged ({error})") from None
        if "header.npy" not in sizes:
            return None
        if sum(sizes.values()) > self.client.settings.max_download:
            raise NoRecording("unpacked, it is over the setting max_download")
        try:
            recording = Recording.load(str(path))
        except MemoryError:
            raise NoRecording("it does not fit into the memory") from None
        self._is_ours(recording)
        return recording

    def _is_ours(self, recording: Recording) -> None:
        if recording.digest != self.record.digest:
            raise NoRecording("it is of another experiment")
        try:
            digest = Experiment.from_json(recording.experiment).digest
        except ExperimentError as error:
            raise NoRecording(f"the experiment in it is not valid: {error}") from None
        if digest != self.record.digest:
            raise NoRecording("the experiment in it is another one")

    def _forget(self, path: Path) -> None:
        """A damaged file is fetched anew the next time."""
        for note in self.record.outputs.values():
            if note["name"] == path.name:
                note.pop("sha256", None)
                note.pop("validator", None)
        path.with_name(path.name + PART).unlink(missing_ok=True)
        self._save()

    def commit(self, recording: Recording, job: Mapping[str, Any], log: str) -> None:
        """Make the partial folder a result."""
        named = dataclasses.replace(recording, backend=self.record.backend)
        named.save(str(self.run.partial / "recording.npz"))
        self._save()
        self.run.commit(self._provenance(named, job, log))

    def _provenance(self, recording: Recording, job: Mapping[str, Any], log: str) -> dict[str, Any]:
        record = self.record
        reported = {
            key: job.get(key)
            for key in (
                "user_id",
                "timestamp_submission",
                "timestamp_completion",
                "resource_usage",
                "provenance",
            )
        }
        return {
            **recording.provenance,
            "run_id": record.run_id,
            "backend": record.backend,
            "digest": record.digest,
            "run_py_sha256": record.run_py_sha256,
            "git": git_state(),
            "remote": {
                **reported,
                "job_id": record.job_id,
                "service": record.base_url,
                "collab": record.collab,
                "platform": record.platform,
                "hardware_config": record.hardware_config,
                "tag": record.tag,
                "states": record.states,
                "outputs": [
                    {"url": url, **{k: v for k, v in note.items() if k != "validator"}}
                    for url, note in record.outputs.items()
                ],
                "notes": record.notes,
            },
            "log": {"file": logs.FILE, "end": logs.end_of(log)},
        }

    def _save(self) -> None:
        self.record.save(self.run.partial)

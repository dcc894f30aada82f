"""The private folder of a run: the configuration that leads sPyNNaker to the emulated machine."""

from __future__ import annotations

from configparser import RawConfigParser
from pathlib import Path

FILE = "spynnaker.cfg"
FOREVER = str(10**6)
"""s. Computing takes longer here than on the machine; sPyNNaker would take that for a failure."""

SETTINGS = {
    "Machine": {
        "version": "5",
        "virtual_board": "False",
        "json_path": "None",
        "spalloc_server": "None",
        "remote_spinnaker_url": "None",
        "bmp_names": "None",
        "auto_detect_bmp": "False",
        "width": "None",
        "height": "None",
        "down_cores": "None",
        "down_chips": "None",
        "down_links": "None",
        "reset_machine_on_startup": "False",
        "turn_off_machine": "False",
        # Helpers that only move data faster; they would be emulated slowly.
        "enable_advanced_monitor_support": "False",
        "enable_reinjection": "False",
        "post_simulation_overrun_before_error": FOREVER,
    },
    "Mapping": {"compressor": "PairCompressor"},  # on the host, not on the chips
    "Reports": {"extract_iobuf": "True", "clear_iobuf_during_run": "False"},
    "Java": {"use_java": "False"},
}


def write(folder: Path, address: str) -> Path:
    """Write the configuration for a machine at `address`; its path."""
    parser = RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_dict(SETTINGS)
    parser.set("Machine", "machine_name", address)
    path = folder / FILE
    with open(path, "w", encoding="utf-8") as stream:
        parser.write(stream)
    return path

"""The backend "spinnaker-emulator": a run on this machine, under SpiNNaker's own limits."""

from __future__ import annotations

from pynn_model.experiment import Experiment

from ...local import LocalBackend
from ..check import reasons_in_software


class EmulatedBackend(LocalBackend):
    """sPyNNaker beside this program, with an emulated machine."""

    def _reasons(self, experiment: Experiment) -> list[str]:
        return reasons_in_software(experiment)

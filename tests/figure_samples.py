"""Blocks and runs that the tests of the figures draw, and what they ask of a figure."""

from dataclasses import replace
from pathlib import Path

import neo
import numpy as np
import pytest
import sample_runs

from analysis.blocks import build_block
from pynn_model import files
from pynn_model.experiment import Experiment
from pynn_model.recording import PopulationRecording, Recording

LEVELS = tuple(
    f"conditions.{k}.sweep={{key='currents.0.amplitude',start=0.1,stop=0.4,num=16}}" for k in (0, 1)
)
ROOT = Path(__file__).resolve().parent.parent
SHORT = {
    "mainen_sejnowski": ("trials=8",),
    "stimuli": (),
    "noise_native": ("trials=6",),
    "fi_curve": ("trials=3", "duration=300.0", *LEVELS),
}


@pytest.fixture(scope="module")
def recordings():
    return {name: sample_runs.sample(name, *changes) for name, changes in SHORT.items()}


@pytest.fixture(scope="module")
def blocks(recordings):
    return {name: build_block(found, f"{name}-run") for name, found in recordings.items()}


@pytest.fixture(scope="module")
def block(blocks):
    return blocks["mainen_sejnowski"]


def renamed(recording, **changes):
    """The recording of the same experiment under other names."""
    data = Experiment.from_json(recording.experiment).to_dict()
    for condition, name in zip(data["conditions"], changes.pop("conditions"), strict=True):
        condition["name"] = name
    experiment = Experiment.from_dict({**data, **changes})
    populations = tuple(
        replace(population, name=condition.name)
        for population, condition in zip(recording.populations, experiment.conditions, strict=True)
    )
    return Recording(experiment.to_json(), experiment.digest, "nest", populations, {})


def network_block(sizes, recorded=0, spikes=5):
    experiment = files.load("balanced_network")
    rng = np.random.default_rng(5)
    populations = []
    for name, size in sizes.items():
        indices = np.repeat(np.arange(size), spikes)
        times = np.sort(rng.integers(1, 10_000, (size, spikes)) / 10, axis=1).ravel()
        v = rng.uniform(-65, -50, (2000, recorded)) if recorded else np.zeros((0, 0))
        populations.append(
            PopulationRecording(name, size, times, indices, v, np.arange(recorded), 0.5)
        )
    recording = Recording(experiment.to_json(), experiment.digest, "nest", tuple(populations), {})
    return build_block(recording, "network-run")


def plain_block():
    """What another program gives: seconds, no names, no annotations, trains of unlike length."""
    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    for stop in (1.0, 1.0, 2.0):
        segment.spiketrains.append(neo.SpikeTrain([0.25, 0.5], units="s", t_stop=stop))
    return block


def by_label(figure, label):
    """The axes of a row from left to right: those at the height of the one with this y label."""
    first = next(axes for axes in figure.axes if axes.get_ylabel() == label)
    row = [a for a in figure.axes if abs(a.get_position().y0 - first.get_position().y0) < 1e-6]
    return sorted(row, key=lambda axes: axes.get_position().x0)


def words(figure):
    return "\n".join(text.get_text() for text in figure.texts)

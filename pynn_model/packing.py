"""Waveform samples in little room, for the script that carries an experiment to where it runs.

Samples from a file are float64, 8 bytes of which 7 look random to a compressor. Most of them are
decimal numbers of a few digits, so they are kept as whole numbers where that gives back the same
float64, to the last bit. Of any others only the bytes are put in another order.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Dict, Iterator, List

import numpy as np

MOST_DIGITS = 9


def pack(experiment: str) -> str:
    """The JSON text of an experiment with its waveforms' samples packed."""
    return _changed(experiment, _pack)


def restore(experiment: str) -> str:
    """The text that was given to :func:`pack`."""
    return _changed(experiment, _restore)


def _changed(experiment: str, change: Any) -> str:
    data = json.loads(experiment)
    for waveform in _waveforms(data):
        waveform["samples"] = change(waveform["samples"])
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _waveforms(data: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    for condition in data["conditions"]:
        for current in condition["currents"]:
            if "samples" in current:
                yield current


def _pack(samples: str) -> Any:
    raw = base64.b64decode(samples)
    values = np.frombuffer(raw, "<f8")
    for digits in range(MOST_DIGITS + 1):
        scaled = np.rint(values * 10.0**digits)
        if np.max(np.abs(scaled), initial=0) >= 2**30:
            break
        whole = scaled.astype(np.int64)
        signed = np.flatnonzero((whole == 0) & np.signbit(values)).tolist()  # zeros as "-0.0"
        if _values(whole, digits, signed) == raw:
            kept = min((False, True), key=lambda d: (len(zlib.compress(_bytes(whole, d))), d))
            packed = _text(_bytes(whole, kept))
            return {"digits": digits, "differences": kept, "signed": signed, "packed": packed}
    return {"packed": _text(_planes(values))}


def _restore(samples: Any) -> str:
    if isinstance(samples, str):
        return samples
    flat = np.frombuffer(base64.b64decode(samples["packed"]), np.uint8)
    if "digits" not in samples:
        return _text(flat.reshape(8, -1).T.tobytes())
    whole = np.ascontiguousarray(flat.reshape(4, -1).T).view("<i4")[:, 0].astype(np.int64)
    if samples["differences"]:
        whole = np.cumsum(whole)
    values = _values(whole, samples["digits"], samples["signed"])
    return _text(values)


def _values(whole: np.ndarray, digits: int, signed: List[int]) -> bytes:
    """Division is exact to the last bit, so it gives the float64 that the decimal number has."""
    values = whole / 10.0**digits
    values[signed] = -0.0
    return bytes(values.astype("<f8").tobytes())


def _bytes(whole: np.ndarray, differences: bool) -> bytes:
    return _planes((np.diff(whole, prepend=0) if differences else whole).astype("<i4"))


def _planes(values: np.ndarray) -> bytes:
    """All lowest bytes first, then all second ones, ...: like stands beside like."""
    return values.view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

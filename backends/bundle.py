"""pynn_model and an experiment, as one script: ``run.py``.

The script is complete (the experiment with its waveforms, the user's own model, the code that
runs it), small, and the same bytes for the same content. It imports the code from within itself,
so it leaves nothing behind however it ends, and nothing beside it can shadow a simulator's module.

The bytes are the same in every process and on every machine with the same zlib; another build of
zlib may pack the same content into other bytes. What a result depends on has digests of its own:
the experiment's, and :func:`code_digest` of the code.
"""

from __future__ import annotations

import base64
import hashlib
import json
import textwrap
import zlib
from functools import cache
from pathlib import Path

import pynn_model
from pynn_model import packing
from pynn_model.experiment import Experiment

LOCAL_ONLY = {"files.py"}
"""Modules that are of no use where an experiment runs."""

TEMPLATE = '''\
"""{title}

A complete experiment: python run.py SYSTEM  (nest, neuron, brian2, spiNNaker, ...)
Its code and data, unpacked into a folder to look at: python run.py --unpack FOLDER
Experiment digest {digest}
"""
import os, sys

# What lies in this folder must not stand in for a module of Python or a simulator.
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:] = [p for p in sys.path if os.path.realpath(p or os.curdir) != HERE]

import base64, importlib.abc, importlib.util, json, zlib

PACKED = """
{files}
"""
FILES = json.loads(zlib.decompress(base64.b64decode(PACKED)).decode())


class Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the modules in FILES, so that nothing is written anywhere."""

    def path(self, name):
        base = name.replace(".", "/")
        return base + "/__init__.py" if base + "/__init__.py" in FILES else base + ".py"

    def is_package(self, name):
        return self.path(name).endswith("/__init__.py")

    def get_source(self, name):
        return FILES[self.path(name)]

    def find_spec(self, name, path=None, target=None):
        if self.path(name) in FILES:
            origin = "run.py:" + self.path(name)
            return importlib.util.spec_from_loader(name, self, origin=origin)
        return None


def unpack(folder):
    for name, text in FILES.items():
        path = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--unpack":
        unpack(sys.argv[2])
        return 0
    sys.meta_path.insert(0, Finder())
    if sys.version_info < (3, 8):
        print("run.py: Python 3.8 or later is needed, this is " + sys.version.split()[0])
        return 1
    try:
        from pynn_model import runner
    except ImportError as error:
        print("run.py: something is missing here: {{}}".format(error), file=sys.stderr)
        return 1
    return runner.main(sys.argv[1:], FILES["experiment.json"])


if __name__ == "__main__":
    sys.exit(main())
'''


@cache
def sources() -> dict[str, str]:
    """Path in the bundle -> text of every module of pynn_model that is shipped."""
    root = Path(pynn_model.__file__).parent
    found = {}
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if path.name not in LOCAL_ONLY and relative.parts[0] != "experiments":
            found[f"pynn_model/{relative.as_posix()}"] = path.read_text(encoding="utf-8")
    return found


def code_digest() -> str:
    """SHA-256 (hex) of the shipped code."""
    return hashlib.sha256(json.dumps(sources(), sort_keys=True).encode()).hexdigest()


def bundle(experiment: Experiment) -> str:
    """The text of run.py for an experiment; ASCII, and the same for equal experiments."""
    files = dict(sources())
    files["experiment.json"] = packing.pack(experiment.to_json())
    packed = zlib.compress(json.dumps(files, sort_keys=True).encode(), 9)
    return TEMPLATE.format(
        title=experiment.name,
        digest=experiment.digest,
        files="\n".join(textwrap.wrap(base64.b64encode(packed).decode(), 100)),
    )

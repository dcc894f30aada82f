"""PyNN's mechanisms for NEURON, compiled once.

pyNN.neuron compiles its 23 mechanisms with ``nrnivmodl`` at its first import, and gives up with a
warning when that program is not on PATH, when its output folder cannot be written, when there is
no compiler, or when two processes import it at once. Here the same is done beforehand (14 to 47 s),
from whatever PATH, in a scratch folder without spaces, and put in place by one rename.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Callable, Optional

Say = Callable[[str], None]


class MechanismsMissing(RuntimeError):
    """PyNN's mechanisms for NEURON are not compiled and cannot be; the message says why."""


def compile_mechanisms(say: Optional[Say] = None) -> bool:
    """Compile PyNN's mechanisms unless that has been done. True if this call compiled them.

    `say` receives one line before the work begins and one after it. Safe to call from several
    processes at once: one compiles, the others wait. Raises `MechanismsMissing`.
    """
    folder = _mechanisms_folder()
    if _compiled(folder):
        return False
    if not os.access(folder, os.W_OK):
        raise MechanismsMissing(
            f"NEURON needs PyNN's mechanisms compiled once, into {folder}, which "
            "you may not write to. Use an environment of your own, or have its owner run once: "
            f"{sys.executable} -c 'import pyNN.neuron' (with {_scripts()} on PATH)."
        )
    with open(folder / ".compiling", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _compiled(folder):
            return False
        if say:
            say("Compiling PyNN's mechanisms for NEURON (once for this environment, about 30 s)")
        _compile(folder)
        if say:
            say("Compiled PyNN's mechanisms for NEURON")
    return True


def _mechanisms_folder() -> Path:
    spec = importlib.util.find_spec("pyNN")
    if spec is None or not spec.submodule_search_locations:
        raise MechanismsMissing("PyNN is not installed: pip install pyNN")
    return Path(spec.submodule_search_locations[0]) / "neuron" / "nmodl"


def _packages() -> Path:
    """The folder that NEURON is installed in."""
    spec = importlib.util.find_spec("neuron")
    if spec is None or spec.origin is None:
        raise MechanismsMissing("NEURON is not installed: pip install neuron nrnutils")
    return Path(spec.origin).parents[1]


def _compiled(folder: Path) -> bool:
    return any(folder.glob("*/libnrnmech.*"))


def _scripts() -> str:
    return sysconfig.get_path("scripts")


def _compile(folder: Path) -> None:
    packages = _packages()
    program = Path(_scripts()) / "nrnivmodl"
    if not program.exists():
        found = shutil.which("nrnivmodl")
        if found is None:
            raise MechanismsMissing(f"NEURON's nrnivmodl is neither in {_scripts()} nor on PATH.")
        program = Path(found)
    for tool, package in (("make", "make"), (os.environ.get("CXX", "c++").split()[0], "g++")):
        if shutil.which(tool) is None:
            raise MechanismsMissing(
                f"NEURON needs PyNN's mechanisms compiled once, and '{tool}' is not on PATH. "
                f"Install it (Debian, Ubuntu: apt-get install {package}; macOS: xcode-select "
                "--install) or choose another backend."
            )
    with tempfile.TemporaryDirectory(prefix="pynn-mechanisms-") as name:
        work = Path(name)
        for source in folder.glob("*.mod"):
            shutil.copy(source, work)
        # nrnivmodl's makefile cannot cope with a space in its own path: let it see another one.
        os.symlink(packages, work / "packages")
        environment = dict(os.environ, PYTHONPATH=str(work / "packages"))
        environment["PATH"] = _scripts() + os.pathsep + environment.get("PATH", os.defpath)
        done = subprocess.run(
            [sys.executable, str(program)],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        libraries = list(work.glob("*/libnrnmech.*"))
        if done.returncode or not libraries:
            raise MechanismsMissing(
                "NEURON could not compile PyNN's mechanisms; nrnivmodl ended with:\n"
                + "\n".join(done.stdout.splitlines()[-30:])
            )
        _put_in_place(libraries[0], folder / libraries[0].parent.name)


def _put_in_place(library: Path, target: Path) -> None:
    """Copy the one file that NEURON loads; it appears under its name only when it is complete."""
    target.mkdir(exist_ok=True)
    partial = target / ("partial-" + library.name)
    shutil.copyfile(library, partial)
    partial.chmod(0o755)
    os.replace(partial, target / library.name)

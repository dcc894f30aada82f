"""List the ready experiments, or show one.

python -m scripts.experiments mainen_sejnowski
"""

from __future__ import annotations

from collections.abc import Sequence

from pynn_model import files

from .command import finish, parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "experiments",
        "List the ready experiments, or check one and show its file and digest.",
        "python -m scripts.experiments mainen_sejnowski",
    )
    arguments.add_argument("experiment", nargs="?", help="a name or a TOML file")
    options = arguments.parse_args(argv)
    if options.experiment is None:
        for name in files.ready_experiments():
            print(f"{name:<18} {files.load(name).description}")
        return 0
    experiment = files.load(options.experiment)
    path = files.find(options.experiment)
    print(path.read_text(encoding="utf-8").rstrip())
    print(f"\n# {path}\n# digest {experiment.digest}")
    return 0


if __name__ == "__main__":
    finish(main)

"""The jobs at remote services: list, look at, wait for, fetch, cancel, go on with.

python -m scripts.jobs
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backends import (
    BackendError,
    BackendUnavailable,
    JobFailed,
    JobTimeout,
    RunIncomplete,
    RunStore,
    ebrains,
)
from backends.ebrains import Clock, JobRecord, RemoteJob, TokenNeeded
from backends.ebrains.clock import seconds_since
from backends.runstore import OLD, PARTIAL

from .command import add_runs, add_service, finish, parser, service_options, show_log, tell

COLUMNS = ("run", "job", "state", "age", "platform")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(
        "jobs",
        "List the remote jobs, or do something with one: show, log, wait, fetch, cancel, resume.",
        "python -m scripts.jobs resume",
    )
    arguments.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", *ACTIONS, "resume"),
        help="list (default); resume: wait for and fetch everything unfinished",
    )
    arguments.add_argument("run", nargs="*", help="a run's id or folder")
    arguments.add_argument("--json", action="store_true", help="as JSON")
    arguments.add_argument("--timeout", type=float, metavar="S", help="wait at most so long")
    arguments.add_argument("--offline", action="store_true", help="list what was last known")
    add_runs(arguments)
    add_service(arguments)
    options = arguments.parse_args(argv)
    if options.action in ACTIONS and len(options.run) != 1:
        arguments.error(f"{options.action}: name one run")
    if options.action == "list" and options.run:
        arguments.error(f"list {options.run[0]}: names no run; use show")
    service = Service(options)
    if options.action == "list":
        return list_jobs(service, options)
    if options.action == "resume":
        return resume(service, options)
    job = service.job(folder_of(options.run[0], options.runs))
    try:
        return ACTIONS[options.action](job, options)
    except KeyboardInterrupt:
        tell(f"\n{job.how_to_return()}")
        return 130


class Service:
    """Settings and token, made when they are first needed."""

    def __init__(self, options: argparse.Namespace) -> None:
        given = {**service_options(options), "notice": tell}
        self._settings, self._notice = ebrains.split(given)
        # A list is not worth asking a person for a token.
        asks = options.action != "list"
        self._token = ebrains.standard(self._settings.token_command, interactive=asks)

    def job(self, folder: Path) -> RemoteJob:
        name = folder.name.removesuffix(PARTIAL)
        run = RunStore(folder.parent).run(name)
        record = JobRecord.load(folder)
        if record is not None and record.backend.startswith("rehearsal") and not run.complete:
            raise BackendUnavailable(
                f"{name}: its queue ended with the command; go on with: "
                f"python -m scripts.run {record.backend} {record.experiment}"
            )
        return ebrains.open_job(run, self._settings, self._token, notice=self._notice)


# --- which jobs there are


def folders(runs: str) -> list[Path]:
    """Every folder that holds a remote run, the latest last."""
    root = Path(runs)
    found = [path.parent for path in root.glob("*/job.json") if path.parent.name[0] != "."]
    found = [path for path in found if not path.name.endswith(OLD)]
    return sorted(found, key=lambda path: (path / "job.json").stat().st_mtime)


def folder_of(run: str, runs: str) -> Path:
    """The folder of a run's id, or of a path; RunIncomplete if there is none."""
    for path in (Path(run), Path(runs) / f"{run}{PARTIAL}", Path(runs) / run):
        if (path / "job.json").is_file():
            return path.resolve()
    raise RunIncomplete(f"{run}: no such remote run in {runs}; see: python -m scripts.jobs")


def describe(folder: Path) -> dict[str, Any]:
    """What is known of a remote run without asking anybody."""
    record = JobRecord.load(folder)
    if record is None:
        raise RunIncomplete(f"{folder}: holds no remote run")
    complete = (folder / "provenance.json").is_file() and not folder.name.endswith(PARTIAL)
    return {
        "run": record.run_id,
        "job_id": record.job_id,
        "state": state_word(record, complete),
        "service_state": record.service_state,
        "age_s": round(seconds_since(record.created, Clock())),
        "platform": record.platform,
        "backend": record.backend,
        "collab": record.collab,
        "service": record.base_url,
        "folder": str(folder),
        "complete": complete,
        "why": record.why,
        "notes": record.notes,
    }


def state_word(record: JobRecord, complete: bool) -> str:
    if complete:
        return "fetched"
    if record.ended:
        return record.ended
    return record.service_state or ("in doubt" if record.doubtful else "not submitted")


def list_jobs(service: Service, options: argparse.Namespace) -> int:
    rows = []
    for folder in folders(options.runs):
        row = describe(folder)
        if not (options.offline or row["complete"] or row["state"] == "failed"):
            row = looked_at(service, folder, row)
        rows.append(row)
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    if not rows:
        print(f"no remote jobs in {options.runs}")
        return 0
    table = [COLUMNS]
    for row in rows:
        stale = "" if row.get("error") is None else " (last known)"
        number = "-" if row["job_id"] is None else str(row["job_id"])
        state = f"{row['state']}{stale}"
        table.append((str(row["run"]), number, state, age(row["age_s"]), str(row["platform"])))
    widths = [max(len(line[k]) for line in table) for k in range(len(COLUMNS))]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())
    return 0


def looked_at(service: Service, folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The row after asking the service; as it was, with the error, where that cannot be."""
    try:
        job = service.job(folder)
        job.state()
    except BackendError as error:
        tell(f"{row['run']}: {str(error).splitlines()[0]}")
        return {**row, "error": str(error)}
    return describe(job.folder)


def age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


# --- one job


def show(job: RemoteJob, options: argparse.Namespace) -> int:
    job.state()
    row = describe(job.folder)
    record = job.record
    row["states"] = record.states
    row["hardware_config"] = record.hardware_config
    row["outputs"] = [note["name"] for note in record.outputs.values()]
    if options.json:
        print(json.dumps(row, indent=2))
        return 0
    for key in ("run", "job_id", "state", "platform", "collab", "service", "folder", "why"):
        if row[key] not in ("", None):
            print(f"{key + ':':<10} {row[key]}")
    for seen in record.states:
        print(f"{'':<10} {seen['at']}  {seen['state']}")
    for note in record.notes:
        print(f"{'note:':<10} {note}")
    return 0


def log(job: RemoteJob, options: argparse.Namespace) -> int:
    text = job.log()
    if options.json:
        print(json.dumps({"run": job.run_id, "log": text}))
    else:
        sys.stdout.write(text)
    return 0


def wait(job: RemoteJob, options: argparse.Namespace) -> int:
    job.on_log = show_log
    state = job.wait(options.timeout)
    row = {**describe(job.folder), "ended": state.value}
    print(json.dumps(row, indent=2) if options.json else f"{row['run']}: {row['state']}")
    return 0 if state.value == "finished" else 1


def fetch(job: RemoteJob, options: argparse.Namespace) -> int:
    """The result now; a job that has not ended is not waited for, unless --timeout is given."""
    job.on_log = None
    if not job.complete and not job.state().final and options.timeout is None:
        raise JobTimeout(f"{job.run_id}: {job.service_state}; {job.how_to_return()}")
    job.result(options.timeout)
    tell_result(job, options)
    return 0


def cancel(job: RemoteJob, options: argparse.Namespace) -> int:
    job.cancel()
    row = describe(job.folder)
    if options.json:
        print(json.dumps(row, indent=2))
    elif row["complete"]:
        print(f"{row['run']}: has its result already; there is nothing to cancel")
    else:
        print(f"{row['run']}: {row['state']}; a job that was running already may come back")
    return 0


def tell_result(job: RemoteJob, options: argparse.Namespace) -> None:
    row = describe(job.folder)
    if options.json:
        print(json.dumps(row, indent=2))
    else:
        print(f"run:     {row['folder']}")
        print(f"see it:  python -m scripts.raster {row['folder']}")


ACTIONS: dict[str, Callable[[RemoteJob, argparse.Namespace], int]] = {
    "show": show,
    "log": log,
    "wait": wait,
    "fetch": fetch,
    "cancel": cancel,
}


# --- everything unfinished


def resume(service: Service, options: argparse.Namespace) -> int:
    """Go on with every unfinished run, or the named ones, wherever each was interrupted."""
    named = [folder_of(run, options.runs) for run in options.run]
    todo = []
    for folder in named or folders(options.runs):
        row = describe(folder)
        if named or not (row["complete"] or row["state"] == "failed"):
            todo.append(folder)
    rows: list[dict[str, Any]] = []
    # First everything gets into the queue, so that the jobs run beside each other.
    ready = [job for job in (opened(service, folder, rows) for folder in todo) if job is not None]
    for job in ready:
        try:
            job.on_log = show_log
            if not job.complete:
                job.result(options.timeout)
            rows.append(describe(job.folder))
            if not options.json:
                print(f"{job.run_id}: fetched, {job.folder}")
        except KeyboardInterrupt:
            tell(f"\n{job.how_to_return()}")
            return 130
        except TokenNeeded:
            raise
        except BackendError as error:
            rows.append({**describe(job.folder), "error": str(error)})
            tell(f"{'failed' if isinstance(error, JobFailed) else 'not yet'}: {error}")
    failed = sum("error" in row for row in rows)
    if options.json:
        print(json.dumps(rows, indent=2))
    elif not todo:
        print(f"nothing unfinished in {options.runs}")
    return 1 if failed else 0


def opened(service: Service, folder: Path, rows: list[dict[str, Any]]) -> RemoteJob | None:
    """The job, submitted if it was not; None, and a row that says why, where that cannot be."""
    try:
        job = service.job(folder)
        record = job.record
        if not job.complete and not (record.ended and record.job_id is None):
            job.ensure_submitted()
        return job
    except TokenNeeded:
        raise
    except BackendError as error:
        rows.append({**describe(folder), "error": str(error)})
        tell(f"not yet: {error}")
        return None


if __name__ == "__main__":
    finish(main)

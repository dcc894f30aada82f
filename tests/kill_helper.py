"""Runs commands in forked processes, and kills some of them. Reads and writes JSON lines.

It has everything imported and no threads, so a fork costs milliseconds. A command is killed by the
server, which is told its process id before it begins, or by itself: an audit hook kills it just
before its n-th step on the file system or the network (so there is no such hook in the product).
"""

import importlib
import json
import os
import signal
import sys

STEPS = {"open", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree"}
NETWORK = {"socket.connect"}


def main():
    for name in ("scripts.submit", "scripts.jobs", "backends.ebrains", "httpx", "tomli_w"):
        importlib.import_module(name)
    from backends import bundle

    bundle.code_digest()
    for line in sys.stdin:
        order = json.loads(line)
        go, ready = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(ready)
            os.read(go, 1)
            os._exit(run(**order))
        os.close(go)
        say({"process": process})
        sys.stdin.readline()  # the server knows the victim now
        os.write(ready, b"x")
        os.close(ready)
        _, status = os.waitpid(process, 0)
        say({"status": os.waitstatus_to_exitcode(status)})


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def run(command, arguments, environment, output, kill_at=None):
    os.environ.update(environment)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if kill_at is not None:
        kill_before(kill_at, environment["RUNS"])
    try:
        module = importlib.import_module(f"scripts.{command}")
        status = module.main(arguments)
    except BaseException as error:  # as it is told to a person
        import traceback

        traceback.print_exc()
        status = 1 if isinstance(error, Exception) else 130
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def kill_before(number, runs):
    """Die at the n-th step that touches the runs or the network."""
    left = [number]

    def hook(event, arguments):
        touches = event in NETWORK
        if event in STEPS:
            paths = [
                a for a in arguments if isinstance(a, (str, bytes)) or hasattr(a, "__fspath__")
            ]
            inside = any(
                os.fspath(p).startswith(runs) for p in paths if isinstance(os.fspath(p), str)
            )
            writes = event != "open" or (arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            locks = any(".locks" in str(p) for p in paths)
            touches = inside and bool(writes) and not locks
        if touches:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()

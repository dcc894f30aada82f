"""The whole rehearsal in one object: the queue, the data, the provider, and what they do wrong."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from .address import Address
from .data import DataStore, make_data_app
from .distortion import Distortion
from .execution import Executor, SubprocessExecutor
from .hostile import Connections, Hostile, Request, RequestLog
from .identity import Identity
from .jobqueue import JobQueue
from .misbehaviour import Misbehaviours, start_from_text
from .provider import Provider
from .server import make_app
from .store import Document, Store

SERVED = ("SpiNNaker", "Demo")


class Rehearsal:
    """A queue on loopback that ends with this object.

    system: the module of PyNN that takes the place of pyNN.spiNNaker in the jobs: nest, neuron,
    brian2, mock; with dots, a module of this checkout; spiNNaker for what is installed under that
    name, spinnaker-emulator for that with an emulated machine. state: the folder of the queue's
    memory and of the outputs, for a rehearsal that is to be gone on with; by default a temporary
    one. port, data_port: 0 takes free ones. job_timeout: s, instead of hours.
    executor: what runs the jobs, instead of a subprocess with `system`.
    """

    def __init__(
        self,
        system: str = "nest",
        *,
        state: Path | None = None,
        port: int = 0,
        data_port: int = 0,
        job_timeout: float | None = None,
        provider: bool = True,
        executor: Executor | None = None,
        clock: Callable[[], float] = time.time,
        log_every: float = 0.5,
    ) -> None:
        self._temporary = None if state is not None else tempfile.mkdtemp(prefix="rehearsal-")
        self.state = Path(state or self._temporary or "")
        self.state.mkdir(parents=True, exist_ok=True)
        self.identity = Identity(clock)
        self.misbehaviours = Misbehaviours()
        self.executor = executor or SubprocessExecutor(system, log_every)
        self._job_timeout = job_timeout
        self._with_provider = provider
        self._log = RequestLog()
        self._provider: Provider | None = None
        self._restarting = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.store = Store(self.state / "queue.sqlite")
        self.data = DataStore(self.state / "outputs", self.misbehaviours)
        queue = JobQueue(self.store, self.identity)
        app = make_app(queue, self.misbehaviours, Distortion(self.misbehaviours))
        self._queue = self._address(app, "queue", port)
        self._data = self._address(make_data_app(self.data), "data", data_port)

    def _address(self, app: Callable[..., object], where: str, port: int) -> Address:
        connections = Connections()
        hostile = Hostile(
            app,  # type: ignore[arg-type]
            where,
            self.misbehaviours,
            connections,
            self._log,
            self.identity,
            away=lambda: self.data_url,
            restart=self._restart_soon,
        )
        return Address(hostile, connections, port)

    # --- life

    def start(self) -> Rehearsal:
        try:
            self._data.start()
            self._queue.start()
        except OSError:  # a port is taken
            self.close()
            raise
        if self._with_provider:
            self.start_provider()
        return self

    def close(self) -> None:
        """End everything: no process and no thread is left, nor the folder if it was temporary."""
        self.stop_provider()
        self.settle()
        self._queue.stop()
        self._data.stop()
        self.store.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Rehearsal:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def stop_server(self) -> None:
        """Take the queue off the network; the data stay."""
        self._queue.stop()

    def start_server(self) -> None:
        """Bring it back, at the same address and with the same jobs."""
        self._queue.start()

    def restart(self) -> None:
        """Stop the queue in the middle of whatever it does, and start it again."""
        with self._restarting:
            self.stop_server()
            self.start_server()

    def settle(self) -> None:
        """Wait until a restart that a request brought about is over."""
        for thread in self._threads:
            thread.join()

    def _restart_soon(self) -> None:
        thread = threading.Thread(target=self.restart, daemon=True)
        self._threads.append(thread)
        thread.start()

    def start_provider(self) -> None:
        if self._provider is None:
            self._provider = Provider(
                self.base_url,
                self.data_url,
                {platform: self.identity.key_for(platform) for platform in SERVED},
                self.executor,
                self.data,
                self.state / "work",
                self.misbehaviours,
                self._job_timeout,
            )
            self._provider.start()

    def stop_provider(self) -> None:
        """Kill what is running; a provider that is started later begins it anew."""
        if self._provider is not None:
            self._provider.stop()
            self._provider = None

    # --- for its users

    @property
    def base_url(self) -> str:
        """The address of the queue."""
        return self._queue.url

    @property
    def data_url(self) -> str:
        """The address of the outputs, another one."""
        return self._data.url

    @property
    def port(self) -> int:
        return self._queue.port

    @property
    def data_port(self) -> int:
        return self._data.port

    def token(self, user: str = "alice", lifetime: float = 3600.0, with_roles: bool = True) -> str:
        """A token; it is good for nothing but this object."""
        return self.identity.token(user, lifetime, with_roles)

    @property
    def provider_key(self) -> str:
        """The key of SpiNNaker's provider."""
        return self.identity.key_for("SpiNNaker")

    def grant(self, user: str, collab: str, role: str | None) -> None:
        """Make `user` viewer, editor or administrator of a collab, or (None) nothing."""
        self.identity.grant(user, collab, role)

    # --- for its tests

    def misbehave(
        self,
        name: str,
        times: int | str | None = "default",
        *,
        value: object = None,
        after: int = 0,
        methods: tuple[str, ...] | None = None,
        path: str = "",
    ) -> None:
        """Do something wrong, `times` times (None: until :meth:`behave`); see misbehaviour.KINDS.

        value: what the kind takes. after: occasions that are let pass before. methods, path:
        only for these HTTP methods, and paths in which the regular expression is found; paths of
        the data address begin with "data:".
        """
        self.misbehaviours.start(name, times, value=value, after=after, methods=methods, path=path)

    def misbehave_as(self, text: str) -> None:
        """The same from NAME[=VALUE][@AFTER][*TIMES]. Raises ValueError."""
        start_from_text(self.misbehaviours, text)

    def behave(self, name: str | None = None) -> None:
        """Stop doing one thing wrong, or everything."""
        self.misbehaviours.stop(name)

    @property
    def requests(self) -> list[Request]:
        """Every request that arrived, in order."""
        return self._log.all()

    @property
    def jobs(self) -> list[Document]:
        """Every job as the queue has stored it, removed ones too, by id."""
        return self.store.all("job")

    def job(self, number: int) -> Document:
        found = self.store.get("job", number)
        if found is None:
            raise KeyError(number)
        return found

    def wait_for(self, number: int, *states: str, timeout: float = 60.0) -> Document:
        """Wait until a job is in one of the states; TimeoutError if it does not get there."""

        def there() -> bool:
            job = self.store.get("job", number)
            return job is not None and job["status"] in states

        if not self.store.wait(there, timeout):
            raise TimeoutError(f"job {number} is {self.job(number)['status']}, not {states}")
        return self.job(number)

    def outputs(self, number: int) -> list[Path]:
        """The files that are served as outputs of a job; a test may change them."""
        return self.data.files(self.job(number)["collab"], number)

"""Ways to run a model that is open beside ``Session.run``: without copies, by another signature, several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import numpy.typing as npt

from edge_sdk.errors import ModelError, TargetError
from edge_sdk.runtime.ports import Ports
from edge_sdk.signature import Arrays, TensorSpec


class Views:
    """A loop without copies: fill :attr:`inputs`, call :meth:`run`, read :attr:`outputs`.

    Values are raw and unchecked, and every run overwrites the outputs. For one thread at a time, and not beside
    ``Session.run``. After the session is closed :meth:`run` fails; the arrays stay readable.
    """

    def __init__(self, inputs: Arrays, outputs: Arrays, run: Callable[[], None]) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.run = run


class SignatureCalls:
    """Another signature of an open model: the same weights, and the same variables. Made by ``Session.signature``.

    Runs take turns with those of the session. State is reset before each run, of every signature, unless the session
    was opened with ``keep_state``.
    """

    def __init__(self, ports: Ports, lock: threading.Lock) -> None:
        self._ports: Ports | None = ports
        self._lock = lock

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """As ``Session.inputs``."""
        return self._open().input_specs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """As ``Session.outputs``."""
        return self._open().output_specs

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """As ``Session.run``."""
        with self._lock:
            return self._open().run(inputs)

    def stage(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Callable[[], None]:
        """As ``Session.stage``."""
        with self._lock:
            ports = self._open()
            ports.run(inputs)
            return ports.executor.invoke

    def views(self) -> Views:
        """As ``Session.views``."""
        with self._lock:
            return views_of(self._open(), "it")

    def close(self) -> None:
        """Done by the session."""
        ports, self._ports = self._ports, None
        if ports is not None:
            ports.executor.close()

    def _open(self) -> Ports:
        if self._ports is None:
            raise closed()
        return self._ports


class Replicas:
    """Interpreters of one model that run side by side: whoever runs takes one that is free, or waits for it."""

    def __init__(self, ports: Sequence[Ports]) -> None:
        self.count = len(ports)
        self._ports = tuple(ports)
        # A model that was closed says so itself when it is run.
        self._free: SimpleQueue[Ports] = SimpleQueue()
        self._gathering = threading.Lock()
        for one in ports:
            self._free.put(one)

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """As ``Session.run``."""
        ports = self._free.get()
        try:
            return ports.run(inputs)
        finally:
            self._free.put(ports)

    @contextmanager
    def gathered(self) -> Iterator[tuple[Ports, ...]]:
        """All of them, once none runs."""
        with self._gathering:
            taken = [self._free.get() for _ in self._ports]
            try:
                yield self._ports
            finally:
                for one in taken:
                    self._free.put(one)


class Abreast:
    """Runs all replicas at once, each in a thread of its own, and waits for the last; for measuring."""

    def __init__(self, ports: Sequence[Ports]) -> None:
        self._here, *others = ports
        self._done: SimpleQueue[Exception | None] = SimpleQueue()
        self._lanes: list[SimpleQueue[bool]] = []
        for number, one in enumerate(others, 1):
            lane: SimpleQueue[bool] = SimpleQueue()
            name = f"edge-sdk replica {number}"
            threading.Thread(target=self._serve, args=(one, lane), name=name, daemon=True).start()
            self._lanes.append(lane)

    def run(self) -> None:
        """One run of each."""
        for lane in self._lanes:
            lane.put(True)  # noqa: FBT003 - a queue's element
        try:
            self._here.executor.invoke()
        finally:
            failures = [self._done.get() for _ in self._lanes]
        for failure in filter(None, failures):
            raise failure

    def close(self) -> None:
        """Ends the threads."""
        for lane in self._lanes:
            lane.put(False)  # noqa: FBT003
        self._lanes = []

    def _serve(self, ports: Ports, lane: SimpleQueue[bool]) -> None:
        while lane.get():
            try:
                ports.executor.invoke()
            except Exception as error:  # raised again where it is waited for
                self._done.put(error)
            else:
                self._done.put(None)


def views_of(ports: Ports, what: str) -> Views:
    """Its views; ``what`` is for the message where there are none."""
    if ports.views is None:
        raise TargetError(f"no views: {what} has no inputs and outputs that stay in place", hint="use run()")
    inputs, outputs = ports.views
    return Views(dict(inputs), dict(outputs), ports.executor.invoke)


def closed() -> ModelError:
    """The error of whatever is used after it was closed."""
    return ModelError("the session is closed", hint="open it again")

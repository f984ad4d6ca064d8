"""A model open on a device: run by name, with an honest account of what runs where."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.sequence import CallSequence
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import TargetError
from edge_sdk.runtime.calls import Abreast, Replicas, SignatureCalls, Views, closed, views_of
from edge_sdk.runtime.candidates import Named, candidates
from edge_sdk.runtime.load import Deadline, LoadState, after_run
from edge_sdk.runtime.opened import Opened, close_all, open_wish, same_ports, wish_of
from edge_sdk.runtime.options import Options, SessionOptions, options_from
from edge_sdk.runtime.package import Package, open_package
from edge_sdk.runtime.pipe import Link, Pipe, Stage
from edge_sdk.runtime.policy import Policy, policy_from
from edge_sdk.runtime.ports import Ports, beside
from edge_sdk.runtime.receipt import Asked, Receipt, Switch, this_device
from edge_sdk.runtime.stream import ahead, spread
from edge_sdk.signature import Arrays, TensorSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from edge_sdk.bundle import Bundle
    from edge_sdk.profile.records import DeviceProfile

T = TypeVar("T")


class Session:
    """A model open on a device. Made by :meth:`open`; a context manager.

    Thread-safe: runs of one session take turns, or run side by side on its ``replicas``. Not to be used in a child
    after ``os.fork``.

    Attributes:
        inputs: names, shapes and dtypes of what :meth:`run` takes.
    """

    def __init__(self, asked: Asked, package: Package, opened: list[Opened], wanted: Options) -> None:
        if not isinstance(asked, Asked):
            raise TypeError("a session is made by Session.open(model)")
        self._asked = asked
        self._package = package
        self._opened = opened
        self._deadline = wanted.limit
        self._keeps_state = wanted.keep_state
        self._load = LoadState()
        self._runs = 0
        self._switches: list[Switch] = []
        self._device = this_device()
        self._lock = threading.Lock()
        first = opened[0][1]
        self._ports: Ports | None = first[0]
        self._replicas = Replicas(first) if len(first) > 1 else None
        self._abreast: list[Abreast] = []
        self._usual_ms = [opening.chosen.run_ms or 0.0 for _, _, opening, _ in opened]
        self.inputs: tuple[TensorSpec, ...] = self._ports.input_specs
        self._signatures: dict[str, SignatureCalls] = {}

    @classmethod
    def open(
        cls,
        model: str | Path | bytes | memoryview | Bundle,
        *,
        profile: str | Path | DeviceProfile | None = None,
        delegate: Named = "auto",
        policy: Policy | str | Mapping[str, Any] | None = None,
        **options: Unpack[SessionOptions],
    ) -> Session:
        """Opens a model with the first delegate that works and that the policy admits.

        Args:
            model: a .tflite file, a bundle, or the bytes of a .tflite.
            profile: of this device, whose delegates ``auto`` tries in its order; None looks for what is here.
            delegate: ``auto``, or names of delegates: then nothing else is tried, and there is no fallback.
            policy: what it may run on and must reach there, such as ``npu=require,min_mac_share=0.9``.
            options: see :class:`~edge_sdk.runtime.options.SessionOptions`.

        Raises:
            ModelError: the file is damaged, or the engine refuses it.
            BundleError: likewise for a bundle, or it is not signed by a trusted key.
            PolicyError: the policy, or an option, makes no sense.
            DelegateUnavailableError: no candidate works and is admitted, and why for each.
            TargetError: the model needs more memory than there is.
            MissingDependencyError: no engine is installed.
        """
        wanted, contract = options_from(options), policy_from(policy)
        known = _profile(profile)
        listed = candidates(delegate, known)
        engine = find_engine(wanted.engine)
        package = open_package(model, wanted.trusted_keys, signature=wanted.signature, copied=wanted.replicas > 1)
        chip = _chip(known)
        listed = package.candidates(listed, chip) if delegate == "auto" else listed
        asked = Asked(
            model=package.name,
            delegates=("auto",) if delegate == "auto" else tuple(one.name for one in listed),
            profile=known.id if known else "this machine",
            policy=contract,
            engine=wanted.engine,
            threads=wanted.thread_count,
            variants=wanted.variants,
        )
        opened: list[Opened] = []
        try:
            for variant in wanted.variants or (None,):
                wish = wish_of(package.chooser(variant, chip), listed, contract, engine, wanted)
                opened.append(open_wish(wish, wanted))
                same_ports(opened)
        except BaseException:
            close_all(opened, package)
            raise
        return cls(asked, package, opened, wanted)

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run.

        It cannot be interrupted: the engines' Python binds no cancellation. Whoever runs a model with a loop that may
        not end (``check`` names it ``open-loop``) does so in a process that can be ended.

        Args:
            inputs: an array for each of :attr:`inputs`. A quantized input takes float values, or its own integers.

        Returns:
            New arrays, one for each of :attr:`outputs`.

        Raises:
            SignatureError: an input is missing, misnamed, of another shape or dtype, or not finite.
            ModelError: the engine failed, or the session is closed.
        """
        if self._replicas is not None:
            return self._replicas.run(inputs)
        with self._lock:
            ports = self._running()
            if self._deadline is None:
                return ports.run(inputs)
            return self._timed_run(ports, self._deadline, inputs)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` gives. An extent that only a run tells is None before the first, then as in the last."""
        return self._last.output_specs

    def signature(self, key: str) -> SignatureCalls:
        """Another signature of the same open model, with shared weights and variables; see :class:`SignatureCalls`.

        Raises:
            SignatureError: the file has none of that name.
            TargetError: what runs has one signature only, another variant may take over, or there are replicas.
            ModelError: the session is closed, or the signature cannot be run by name.
        """
        with self._lock:
            ports = self._only("another signature")
            if key not in self._signatures:
                self._signatures[key] = SignatureCalls(beside(ports, self._source, key), self._lock)
            return self._signatures[key]

    def sequence(self, keys: Sequence[str]) -> CallSequence:
        """Calls of signatures that belong together, as if they were one model; see :class:`CallSequence`.

        Args:
            keys: of signatures, in order; one may be called several times.

        Raises:
            TargetError: the model has state, and the session does not keep it between runs; as :meth:`signature`.
            SignatureError: as :meth:`signature`.
        """
        if self._source.artifact.is_stateful and not self._keeps_state:
            raise TargetError(
                f"{self._source.name} has state, which this session sets back before every call",
                hint="open it with keep_state=True",
            )
        return CallSequence([(key, self.signature(key)) for key in keys], self.reset, self._source.artifact)

    def reset(self) -> None:
        """Sets the model's state back to how it was when it was opened; for sessions that keep it between runs.

        Raises:
            ModelError: the engine failed, or the session is closed.
        """
        with self._lock:
            self._running()
            with self._all() as running:
                for ports in running:
                    ports.executor.reset()

    def run_many(
        self,
        samples: Iterable[T],
        *,
        prepare: Callable[[T], Mapping[str, npt.NDArray[Any]]] | None = None,
        waiting: int = 2,
    ) -> Iterator[Arrays]:
        """Runs on samples one after the other, or spread over replicas, while a thread prepares the next ones.

        Args:
            samples: inputs for :meth:`run`, or anything that ``prepare`` makes them of; may be endless.
            prepare: called in the thread; the engine lets it run meanwhile.
            waiting: at most so many prepared samples wait; then preparing waits for the engine. Of replicas, outputs
                that nobody has taken yet count too.

        Yields:
            Outputs, in the samples' order. Close the iterator, or leave the loop, to end the thread.

        Raises:
            SignatureError: as :meth:`run`; what ``samples`` and ``prepare`` raise comes through unchanged.
        """
        if self._replicas is not None:
            with closing(spread(samples, prepare, self.run, self._replicas.count, waiting)) as made:
                yield from made
            return
        # Closed at once when a run fails or is interrupted, not when the traceback is dropped.
        with closing(ahead(samples, prepare, waiting)) as prepared:
            for inputs in prepared:
                yield self.run(inputs)

    def views(self) -> Views:
        """Inputs and outputs in the engine's own memory, for loops without copies.

        Raises:
            TargetError: what runs has no memory that stays in place, another variant may take over, or there are
                replicas.
            ModelError: the session is closed.
        """
        with self._lock:
            return views_of(self._only("views"), self._opened[0][2].chosen.candidate)

    @staticmethod
    def pipe(first: Stage, second: Stage, link: Link | None = None) -> Pipe:
        """Two sessions in a row: ``run_many`` runs the first on a sample while the second runs on the one before.

        Args, errors: see :class:`~edge_sdk.runtime.pipe.Pipe`. Both sessions stay the caller's to close.
        """
        return Pipe(first, second, link)

    def stage(self, inputs: Mapping[str, npt.NDArray[Any]] | None = None) -> Callable[[], None]:
        """What runs the model on given inputs, as often as it is called, and waits until the outputs could be read.

        Replicas then run side by side, once each.

        For measuring: nothing is checked or copied in it. It is for one thread at a time, not beside :meth:`run`, and
        fails once the session is closed.

        Args:
            inputs: as :meth:`run` takes them; None leaves what the self-test ran on last: golden or seeded inputs.

        Raises:
            TargetError: another variant may take over.
            SignatureError: as :meth:`run`.
            ModelError: the session is closed.
        """
        with self._lock:
            ports = self._running()
            if len(self._opened) > 1:
                raise TargetError("not to be staged: another variant may take over", hint="open one variant")
            if self._replicas is None:
                if inputs is not None:
                    ports.run(inputs)
                return ports.executor.invoke
            with self._replicas.gathered() as running:
                if inputs is not None:
                    for one in running:
                        one.run(inputs)
                self._abreast.append(Abreast(running))
                return self._abreast[-1].run

    @property
    def receipt(self) -> Receipt:
        """What was asked, what runs, why nothing else does, and what changed since."""
        openings = tuple(opening for _, _, opening, _ in self._opened)
        switches = tuple(self._switches)
        active = switches[-1].variant if switches else openings[0].variant
        return Receipt(self._asked, self._device, openings, active, switches)

    @property
    def bundle(self) -> Bundle | None:
        """What it was opened from, with labels and processing; None for a bare file."""
        return self._package.bundle

    def close(self) -> None:
        """Frees the engine's memory; waits for a run in another thread. Twice is harmless."""
        with self._lock:
            if self._ports is None:
                return
            with self._all():
                self._ports = None
                for calls in self._signatures.values():
                    calls.close()
                for abreast in self._abreast:
                    abreast.close()
                close_all(self._opened, self._package)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _last(self) -> Ports:
        return self._ports or self._opened[0][1][0]

    @property
    def _source(self) -> ModelSource:
        return self._opened[0][3]

    def _running(self) -> Ports:
        if self._ports is None:
            raise closed()
        return self._ports

    def _only(self, what: str) -> Ports:
        """The one that runs, where no other may run in its place."""
        ports = self._running()
        if len(self._opened) > 1:
            raise TargetError(f"no {what}: another variant may take over", hint="open one variant without a deadline")
        if self._replicas is not None:
            raise TargetError(
                f"no {what}: {self._replicas.count} replicas run side by side", hint="open it without replicas"
            )
        return ports

    def _all(self) -> AbstractContextManager[tuple[Ports, ...]]:
        """Every replica, once none runs."""
        return nullcontext((self._running(),)) if self._replicas is None else self._replicas.gathered()

    def _timed_run(self, ports: Ports, deadline: Deadline, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        began = time.perf_counter()
        made = ports.run(inputs)
        took_ms = (time.perf_counter() - began) * 1e3
        self._runs += 1
        before = self._load
        self._load = after_run(before, took_ms, deadline, self._usual_ms)
        if self._load.level != before.level:
            self._switch(before.level, self._load.level, took_ms, deadline)
        return made

    def _switch(self, old: int, new: int, took_ms: float, deadline: Deadline) -> None:
        names = [opening.variant or "" for _, _, opening, _ in self._opened]
        if new > old:
            why = f"{deadline.misses} runs in a row took more than {deadline.ms:g} ms, the last {took_ms:.3g} ms"
        else:
            expected = took_ms * self._usual_ms[new] / self._usual_ms[old]
            why = f"runs take {took_ms:.3g} ms again, so {names[new]} should take {expected:.3g} of {deadline.ms:g} ms"
        self._switches.append(Switch(self._runs, names[new], names[old], why))
        self._ports = self._opened[new][1][0]


def _chip(known: DeviceProfile | None) -> Collection[str]:
    from edge_sdk.profile.detect import this_chip

    return known.chip_names if known else this_chip()


def _profile(given: str | Path | DeviceProfile | None) -> DeviceProfile | None:
    if not isinstance(given, str | Path):
        return given
    from edge_sdk.profile.reading import find_profile

    return find_profile(given)

"""The self-test over calls of several signatures, such as prefill and then decode: made by running a variant here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from edge_sdk.artifact.dtypes import DTYPES
from edge_sdk.artifact.model import Tensor
from edge_sdk.bundle.describe import describe_calls
from edge_sdk.bundle.manifest import GoldenRecord, GoldenSequence, Limit, Port
from edge_sdk.bundle.selftest import Keeper, add_power, is_quantized
from edge_sdk.bundle.tolerance import limits, widened
from edge_sdk.data import SampleCheck, open_data
from edge_sdk.data.opening import Data
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.sequence import CallSequence
from edge_sdk.engines.values import to_raw
from edge_sdk.errors import BundleError
from edge_sdk.signature import Arrays


@dataclass(frozen=True)
class SequenceRuns:
    """What a variant made of the samples, and the contents of the members that are new."""

    sequence: GoldenSequence
    contents: Mapping[str, bytes]


def run_sequence(
    path: Path, calls: Sequence[str], data: Data | None, known: Mapping[str, bytes], *, count: int, seed: int
) -> SequenceRuns:
    """Runs calls in TFLite's own kernels, and once more in XNNPACK's to see that limits hold.

    Args:
        path: the .tflite file.
        calls: keys of signatures, in order.
        data: arrays named ``LABEL/NAME``; see ``open_data``. None for seeded samples.
        known: members that are there already; equal arrays share a member.
        count: how many samples, the first of them.
        seed: of seeded samples.

    Raises:
        SignatureError: a signature does not exist.
        BundleError: an input or output holds no numbers, or is of open size.
        ModelError: the engine refuses the file.
    """
    own = Runner(path, xnnpack=False)
    inputs, outputs = describe_calls(own.artifact, calls)
    for port in (*inputs, *outputs):
        if port.dtype not in DTYPES:
            raise BundleError(f"`{port.name}` is {port.dtype}: golden runs need numbers", hint="leave out --call")
    first = own.sequence(calls)
    samples = _samples(first, data, count=count, seed=seed)
    made = [_raw(first.run(sample), first) for sample in samples]
    _check_sizes(made, outputs)
    second = Runner(path).sequence(calls)
    others = [_raw(second.run(sample), second) for sample in samples]
    powers = _powers(path, calls, samples) if is_quantized(own.artifact) else {}
    bounds = {port.name: _limits(first, port, made, others, powers) for port in outputs}
    keeper = Keeper(known)
    records = tuple(
        GoldenRecord(_kept(keeper, f"calls-{place}/in", given), _kept(keeper, f"calls-{place}/out", got))
        for place, (given, got) in enumerate(zip((_stored(one, first) for one in samples), made, strict=True))
    )
    return SequenceRuns(GoldenSequence(tuple(calls), inputs, outputs, records, bounds), keeper.new)


def _samples(sequence: CallSequence, data: Data | None, *, count: int, seed: int) -> list[Arrays]:
    if data is None:
        return list(sequence.drawn(count=count, seed=seed))
    source = open_data(data, sequence.inputs)
    check = SampleCheck(source.description, sequence.inputs)
    samples = list(islice(check.watch(source.samples()), count))
    if not samples:
        raise BundleError(f"{source.description}: holds no sample for the self-test")
    return samples


def _tensors(sequence: CallSequence, what: str) -> dict[str, Tensor]:
    return {
        f"{call.label}/{name}": tensor
        for call in sequence.calls
        for name, tensor in getattr(sequence.artifact.with_signature(call.key).signature, what).items()
    }


def _raw(made: Arrays, sequence: CallSequence) -> Arrays:
    tensors = _tensors(sequence, "outputs")
    return {name: to_raw(values, tensors[name]) for name, values in made.items()}


def _stored(given: Arrays, sequence: CallSequence) -> Arrays:
    tensors = _tensors(sequence, "inputs")
    return {name: to_raw(values, tensors[name]) for name, values in given.items()}


def _check_sizes(made: Sequence[Arrays], ports: Sequence[Port]) -> None:
    for port in ports:
        for one in made:
            if one[port.name].shape != port.shape:
                shapes = f"{list(port.shape)} in the file, {list(one[port.name].shape)} in a run"
                raise BundleError(f"`{port.name}` is of open size ({shapes}): it has no golden values")


def _kept(keeper: Keeper, place: str, arrays: Arrays) -> dict[str, str]:
    return {name: keeper.put(f"{place}-{index}", values) for index, (name, values) in enumerate(arrays.items())}


def _powers(path: Path, calls: Sequence[str], samples: Sequence[Arrays]) -> dict[str, dict[str, float]]:
    """By signature: mean square of each quantized activation, over its calls."""
    powers: dict[str, dict[str, float]] = {key: {} for key in calls}

    def after(runner: Runner) -> None:
        key = runner.artifact.signature.key
        add_power(powers[key], runner, 1 / (len(samples) * list(calls).count(key)))

    sequence = Runner(path, preserve_all_tensors=True).sequence(calls, after=after)
    for sample in samples:
        sequence.run(sample)
    return powers


def _limits(
    sequence: CallSequence,
    port: Port,
    made: Sequence[Arrays],
    others: Sequence[Arrays],
    powers: Mapping[str, Mapping[str, float]],
) -> tuple[Limit, ...]:
    """Those of the call alone, for as many calls as its values went through: each may add as much."""
    label = port.name.partition("/")[0]
    place = next(index for index, call in enumerate(sequence.calls) if call.label == label)
    call = sequence.calls[place]
    alone = replace(port, name=port.name.removeprefix(f"{label}/"))
    golden, got = [one[port.name] for one in made], [one[port.name] for one in others]
    found = limits(sequence.artifact.with_signature(call.key), alone, golden, powers.get(call.key, {}))
    return tuple(widened(_for_calls(limit, place + 1), golden, got, alone) for limit in found)


def _for_calls(limit: Limit, calls: int) -> Limit:
    if calls == 1:
        return limit
    value = limit.value * calls if limit.kind == "max_abs_error" else limit.value - 10 * math.log10(calls)
    return replace(limit, value=value, derivation=f"{limit.derivation}; {calls} calls, each of which may add as much")

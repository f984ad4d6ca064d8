"""What a file claims, held against what it holds, before anything is made of the claim."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from edge_sdk.errors import ModelError

# What a signed 64-bit count of bytes can hold of the widest type, 16 bytes.
_MOST_ELEMENTS: Final = 1 << 59
# Pruned weights keep a fiftieth at least; a buffer that stands for so many times its own bytes is a bomb.
_SPARSEST: Final = 1024
# Inputs that kernels ask for with GetOptionalInputTensor, or look at only if they are there
# (tensorflow/lite/kernels, 2.19, each op's own file).
_OPTIONAL: Final[Mapping[str, Collection[int]]] = MappingProxyType(
    {
        "FULLY_CONNECTED": (2,),
        "CONV_2D": (2,),
        "DEPTHWISE_CONV_2D": (2,),
        "TRANSPOSE_CONV": (3,),
        "CONV_3D": (2,),
        "CONV_3D_TRANSPOSE": (3,),
        "SVDF": (3,),
        "LSTM": range(1, 24),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": range(1, 24),
        "BIDIRECTIONAL_SEQUENCE_LSTM": range(1, 48),
        "BIDIRECTIONAL_SEQUENCE_RNN": (9, 10, 11),
    }
)
# Kernels that look at so many without counting them.
_LEAST: Final = MappingProxyType({"READ_VARIABLE": 1, "ASSIGN_VARIABLE": 2})
_WITHOUT_OUTPUTS: Final = frozenset({"LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN"})
# What code that relies on the form of an op raises where the op has another.
_SURPRISED: Final = (IndexError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


def check_size(where: str, elements: int, *, needed: int, stored: int | None, is_sparse: bool) -> None:
    """Whether a tensor's bytes are there.

    Args:
        where: the tensor with its shape, for the message.
        elements: that its shape claims.
        needed: bytes that these take.
        stored: bytes of a constant; None for what is computed.
        is_sparse: whether zeros are left out of them.

    Raises:
        ModelError: fewer bytes than the shape needs, as engines refuse it too; or a sparse constant that claims to be
            mostly nothing, or more values than memory has addresses.
    """
    if elements >= _MOST_ELEMENTS:
        raise ModelError(f"{where} is larger than any memory")
    if stored is not None and needed > stored * (_SPARSEST if is_sparse else 1):
        raise ModelError(f"{where} needs {needed} bytes, its buffer has {stored}")


def check_operands(op: int, name: str, inputs: Sequence[int], outputs: Sequence[int]) -> None:
    """Whether what stands for no tensor stands where the kernel looks for that: elsewhere engines read beside memory.

    Raises:
        ModelError: it does not.
    """
    if name.startswith("CUSTOM:"):
        return
    if len(inputs) < _LEAST.get(name, 0):
        raise ModelError(f"op {op} ({name}): has {len(inputs)} inputs, its kernel reads {_LEAST[name]}")
    spared = _OPTIONAL.get(name, ())
    for place, tensor in enumerate(inputs):
        if tensor < 0 and place not in spared:
            raise ModelError(f"op {op} ({name}): input {place} is left out, which the op does not allow")
    if any(tensor < 0 for tensor in outputs) and name not in _WITHOUT_OUTPUTS:
        raise ModelError(f"op {op} ({name}): an output is left out")


def check_order(ops: Sequence[tuple[str, Sequence[int], Sequence[int]]], present: Collection[int]) -> None:
    """Whether each value is made before it is read: before that it has no memory, and kernels read beside it.

    Args:
        ops: name, inputs and outputs of each, in the order that they run.
        present: tensors that are there before the first: inputs, constants, variables.

    Raises:
        ModelError: an op reads what only a later one makes.
    """
    makers = {tensor: place for place, (_, _, outputs) in reversed([*enumerate(ops)]) for tensor in outputs}
    for place, (name, inputs, _) in enumerate(ops):
        for tensor in inputs:
            if tensor not in present and makers.get(tensor, -1) >= place:
                raise ModelError(
                    f"op {place} ({name}): reads tensor {tensor}, which op {makers[tensor]} makes after it"
                )


def check_zero_points(tensor: int, points: Collection[int]) -> None:
    """Whether the engine sees the zero points that the file states: it keeps 32 bits of each.

    Raises:
        ModelError: one needs more.
    """
    wide = next((point for point in points if not -(1 << 31) <= point < 1 << 31), None)
    if wide is not None:
        raise ModelError(f"tensor {tensor}: zero point {wide} does not fit in 32 bits")


def own_names(tensors: Iterable[tuple[int, str]]) -> dict[str, int]:
    """A name for each tensor: its own; where several share one, or there is none, with its index, but for the first."""
    listed = list(tensors)
    taken = {name for _, name in listed}
    found: dict[str, int] = {}
    for index, own in listed:
        name = own
        if not own or own in found:
            name = _free(f"{own or 'tensor'}_{index}", taken)
            taken.add(name)
        found[name] = index
    return found


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


@contextlib.contextmanager
def formed(file: object) -> Iterator[None]:
    """Around code that looks into ops as their kernels want them: operands of some rank, options of some kind.

    A file may hold ops of any other form, and an engine refuses it only when it loads it.

    Raises:
        ModelError: an op has another form, and the code inside was surprised by it.
    """
    try:
        yield
    except _SURPRISED as error:
        raise ModelError(
            f"{file or 'model'}: an op is not formed as its kernel needs it ({type(error).__name__}: {error})",
            hint="the file is damaged, or of a kind not met before; if an engine runs it, please report it",
        ) from error

"""PyTorch models that are quantized already, in float ops between QuantizeLinear and DequantizeLinear.

Eager mode: QAT with fake quantization (converted first by ``torch.ao.quantization.convert``, PyTorch's own last step),
and what ``convert`` and ``quantize_dynamic`` return. A program of torch.export with ``quantized_decomposed`` ops (PT2E)
exports as it is. A function between two layers has no range of its own in eager mode: PyTorch runs it on the range of
its input, so each layer's input is rounded to the range that it had when the model ran.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.sources.pytorch.calls import is_exported
from edge_sdk.errors import UnsupportedOpError

Range = tuple[float, int]
_PACKAGES = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
_DYNAMIC = ("torch.ao.nn.quantized.dynamic", "torch.ao.nn.intrinsic.quantized.dynamic")


def quantized_by(model: Any) -> str | None:
    """Who quantized the activations of a model, in words; None where it is a float model."""
    import torch

    if is_exported(model):
        found = any("quantized_decomposed" in str(node.target) for node in model.graph.nodes)
        return f"PyTorch {torch.__version__} (PT2E)" if found else None
    fakes = torch.ao.quantization.FakeQuantizeBase
    if any(isinstance(part, fakes) for part in model.modules()):
        return f"PyTorch {torch.__version__} (eager QAT)"
    kept = [name for name, part in _layers(model) if not _is_in(part, _DYNAMIC)]
    return f"PyTorch {torch.__version__} (eager mode)" if kept else None


def is_dynamic(model: Any) -> bool:
    """Whether ``quantize_dynamic`` rounded weights of the model, and nothing rounded its activations."""
    if is_exported(model) or quantized_by(model) is not None:
        return False
    return bool(_layers(model))


def in_float_ops(model: Any, run: Callable[[Any], object]) -> Any:
    """A copy in layers that export: weights as the integers that they are, rounding between layers.

    Args:
        model: an eager module of :func:`quantized_by` or :func:`is_dynamic`.
        run: calls a module with example inputs.

    Raises:
        UnsupportedOpError: lists the quantized layers that have no float form here.
    """
    import torch
    import torch.ao.quantization.fx._decomposed  # registers the ops that export as QuantizeLinear

    made = copy.deepcopy(model).eval()
    if any(isinstance(part, torch.ao.quantization.FakeQuantizeBase) for part in made.modules()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own age
            made = torch.ao.quantization.convert(made)
    ranges = _input_ranges(made, run)
    forms = _forms()
    parts = _layers(made)
    missing = [(name, type(part).__name__) for name, part in parts if type(part).__name__ not in forms]
    if missing:
        words = ", ".join(f"`{name}` ({kind})" for name, kind in missing)
        raise UnsupportedOpError(
            f"quantized layers without a float form: {words}",
            ops=[(kind, name, "no float form of this quantized layer") for name, kind in missing],
            hint="convert the model as it was before quantization, with -r int8 and calibration data",
        )
    for name, part in parts:
        replacement = forms[type(part).__name__](part)
        if (found := ranges.get(name)) is not None:
            replacement = torch.nn.Sequential(_grid(*found), replacement)
        if not name:
            return replacement
        owner, _, last = name.rpartition(".")
        setattr(made.get_submodule(owner), last, replacement)
    return made


def _is_in(part: Any, packages: tuple[str, ...]) -> bool:
    return type(part).__module__.startswith(packages)


def _layers(module: Any) -> list[tuple[str, Any]]:
    """The quantized layers by name, without what they are made of."""
    found: dict[str, Any] = {}
    for name, part in module.named_modules():
        owners = {name[:place] for place, letter in enumerate(name) if letter == "."} | ({""} if name else set())
        if _is_in(part, _PACKAGES) and not owners & found.keys():
            found[name] = part
    return list(found.items())


def _input_ranges(module: Any, run: Callable[[Any], object]) -> Mapping[str, Range]:
    """Scale and zero point of the first quantized input of each layer, by its name, as the model runs."""
    import torch

    found: dict[str, Range] = {}

    def watch(name: str) -> Callable[[Any, tuple[Any, ...]], None]:
        def see(_: Any, inputs: tuple[Any, ...]) -> None:
            first = inputs[0] if inputs else None
            if isinstance(first, torch.Tensor) and first.is_quantized:
                found[name] = (float(first.q_scale()), int(first.q_zero_point()))

        return see

    hooks = [part.register_forward_pre_hook(watch(name)) for name, part in _layers(module)]
    try:
        with torch.no_grad():
            run(module)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _grid(scale: float, zero_point: int) -> Any:
    """Rounds to the 256 values of a quint8 tensor."""
    import torch

    class Grid(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            place = (scale, zero_point, 0, 255, torch.uint8)
            ops = torch.ops.quantized_decomposed
            return ops.dequantize_per_tensor(ops.quantize_per_tensor(x, *place), *place)

    return Grid()


def _own_grid(part: Any) -> Any:
    return _grid(float(part.scale), int(part.zero_point))


def _weights(stored: Any) -> Any:
    """Returns a quantized tensor's values, from its integers."""
    import torch

    per_channel = stored.qscheme() in (torch.per_channel_affine, torch.per_channel_affine_float_qparams)
    # Read here: torch.export traces no quantized tensor.
    axis = stored.q_per_channel_axis() if per_channel else 0
    whole = (1.0, 0) if per_channel else (stored.q_scale(), stored.q_zero_point())

    class Weights(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("integers", stored.int_repr())
            if per_channel:
                self.register_buffer("scales", stored.q_per_channel_scales().float())
                self.register_buffer("zero_points", stored.q_per_channel_zero_points().long())

        def forward(self) -> Any:
            ops, dtype = torch.ops.quantized_decomposed, self.integers.dtype
            ends = (torch.iinfo(dtype).min, torch.iinfo(dtype).max, dtype)
            if per_channel:
                return ops.dequantize_per_channel(self.integers, self.scales, self.zero_points, axis, *ends)
            return ops.dequantize_per_tensor(self.integers, *whole, *ends)

    return Weights()


def _layer(part: Any, call: Callable[[Any, Any, Any], Any], *, after: Callable[[Any], Any] | None = None) -> Any:
    """A layer with weights: ``call(x, weights, bias)``, an activation, and rounding where the layer has a range."""
    import torch

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = _weights(part.weight())
            bias = part.bias() if callable(getattr(part, "bias", None)) else None
            self.register_buffer("bias", None if bias is None else bias.detach().float())
            # A dynamic layer inherits a range, and does not use it; a table has none.
            has_range = hasattr(part, "zero_point") and not _is_in(part, _DYNAMIC)
            self.grid = _own_grid(part) if has_range else torch.nn.Identity()

        def forward(self, x: Any) -> Any:
            y = call(x, self.weights(), self.bias)
            return self.grid(after(y) if after is not None else y)

    return Layer()


def _convolution(name: str, *, relu: bool = False) -> Callable[[Any], Any]:
    def make(part: Any) -> Any:
        import torch

        function, after = getattr(torch.nn.functional, name), torch.relu if relu else None
        if part.padding_mode != "zeros":
            why = f"padding mode {part.padding_mode}"
            raise UnsupportedOpError(
                f"a quantized convolution with {why} has no form here",
                ops=[(type(part).__name__, "", why)],
                hint="convert the model as it was before quantization",
            )
        if "transpose" in name:
            return _layer(
                part,
                lambda x, w, b: function(
                    x, w, b, part.stride, part.padding, part.output_padding, part.groups, part.dilation
                ),
                after=after,
            )
        return _layer(
            part, lambda x, w, b: function(x, w, b, part.stride, part.padding, part.dilation, part.groups), after=after
        )

    return make


def _dense(after: str = "") -> Callable[[Any], Any]:
    def make(part: Any) -> Any:
        import torch

        functions = torch.nn.functional
        if after == "leaky_relu":
            return _layer(part, functions.linear, after=lambda y: functions.leaky_relu(y, part.negative_slope))
        return _layer(part, functions.linear, after=torch.relu if after else None)

    return make


def _then_grid(function: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """``function(layer, x)``, rounded to the layer's range."""

    def make(part: Any) -> Any:
        import torch

        class Rounded(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.part, self.grid = part, _own_grid(part)

            def forward(self, x: Any) -> Any:
                return self.grid(function(self.part, x))

        return Rounded()

    return make


def _functional(part: Any) -> Any:
    """Sums, products and joins that have a range."""
    import torch

    class Functional(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grid = _own_grid(part)

        def add(self, x: Any, y: Any) -> Any:
            return self.grid(x + y)

        def add_relu(self, x: Any, y: Any) -> Any:
            return self.grid(torch.relu(x + y))

        def mul(self, x: Any, y: Any) -> Any:
            return self.grid(x * y)

        def cat(self, x: Any, dim: int = 0) -> Any:
            return self.grid(torch.cat(x, dim))

        # On a number PyTorch changes the range, and rounds nothing.
        def add_scalar(self, x: Any, y: float) -> Any:
            return x + y

        def mul_scalar(self, x: Any, y: float) -> Any:
            return x * y

    return Functional()


def _identity(_: Any) -> Any:
    import torch

    return torch.nn.Identity()


def _normalized(part: Any, x: Any) -> Any:
    import torch

    statistics = (part.running_mean, part.running_var, part.weight, part.bias)
    return torch.nn.functional.batch_norm(x, *statistics, training=False, eps=part.eps)


def _forms() -> Mapping[str, Callable[[Any], Any]]:
    """Class names of quantized layers, with what makes their float form."""
    import torch

    functions = torch.nn.functional
    convolutions = {f"Conv{n}d": _convolution(f"conv{n}d") for n in (1, 2, 3)}
    rectified = {f"ConvReLU{n}d": _convolution(f"conv{n}d", relu=True) for n in (1, 2, 3)}
    transposed = {f"ConvTranspose{n}d": _convolution(f"conv_transpose{n}d") for n in (1, 2, 3)}
    norms = {f"BatchNorm{n}d": _then_grid(_normalized) for n in (2, 3)}
    rectified_norms = {f"BNReLU{n}d": _then_grid(lambda part, x: torch.relu(_normalized(part, x))) for n in (2, 3)}
    return {
        **convolutions,
        **rectified,
        **transposed,
        **norms,
        **rectified_norms,
        "Linear": _dense(),
        "LinearReLU": _dense("relu"),
        "LinearLeakyReLU": _dense("leaky_relu"),
        "Embedding": lambda part: _layer(part, lambda x, w, _: functions.embedding(x, w)),
        "Quantize": _own_grid,
        "DeQuantize": _identity,
        "Dropout": _identity,
        "QFunctional": _functional,
        "ReLU6": lambda _: torch.nn.ReLU6(),
        "Hardswish": _then_grid(lambda _, x: functions.hardswish(x)),
        "Sigmoid": _then_grid(lambda _, x: torch.sigmoid(x)),
        "ELU": _then_grid(lambda part, x: functions.elu(x, part.alpha)),
        "LeakyReLU": _then_grid(lambda part, x: functions.leaky_relu(x, part.negative_slope)),
    }

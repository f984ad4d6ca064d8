"""How a PyTorch model is called: inputs and outputs by name, whatever its forward takes and returns."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edge_sdk.converters.sources.pytorch.arguments import Arguments, Leaf, template
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.errors import ModelError, SignatureError, nearest
from edge_sdk.signature import TensorSpec

_IMAGE_CHANNELS = (1, 3, 4)


class TorchCall:
    """A module with the names of its inputs.

    Args:
        model: an ``nn.Module`` or an ``ExportedProgram``.
        examples: example inputs: a tensor, a tuple in call order, or a dict by name; None for a program, which
            carries its own, or where ``options.shapes`` stand in.
        options: what the user said about shapes.
    """

    def __init__(self, model: Any, examples: Any, options: SourceOptions) -> None:
        self._exported = is_exported(model)
        if self._exported:
            positional, keyword = model.example_inputs or ((), {})
            self.module = model.module()
        else:
            positional, keyword = _as_call(examples)
            self.module = model
        bound = _bound(self.module, positional, keyword)
        self._arguments = bound or _by_shapes(self.module, options.shapes)
        self.examples = self._arguments.leaves(positional, keyword) if bound else _zeros_of(options)
        if not self.examples:
            raise SignatureError(
                f"the module {type(self.module).__name__} comes without example inputs, so its shapes are not known",
                hint="return (model, {'name': tensor}) from the function, or give --input NAME=1,3,224,224",
            )
        specs = [_spec(name, tensor) for name, tensor in self.examples.items()]
        self.inputs: tuple[TensorSpec, ...] = _with_open_dimensions(specs, model if self._exported else None)

    def __call__(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Runs tensors by input name; returns outputs by name."""
        positional, keyword = self._arguments.filled(tensors)
        return named_outputs(self.module(*positional, **keyword))

    def positional(self, outputs: Sequence[str]) -> Any:
        """An ``nn.Module`` that takes the inputs in order and returns the outputs as a flat tuple, for exporters."""
        import torch

        call, names = self, [spec.name for spec in self.inputs]

        class Positional(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = call.module

            def forward(self, *tensors: Any) -> Any:
                results = call(dict(zip(names, tensors, strict=True)))
                return tuple(results[name] for name in outputs)

        made = Positional()
        # Not eval(): exported modules refuse to switch modes.
        made.training = False
        return made

    def has_recurrent_layers(self) -> bool:
        """Whether it holds LSTM, GRU or RNN layers."""
        import torch

        if any(isinstance(part, torch.nn.RNNBase) for part in self.module.modules()):
            return True
        graph = getattr(self.module, "graph", None)
        targets = [str(node.target) for node in graph.nodes if node.op == "call_function"] if graph else []
        return any(target.split(".")[1:2] in (["lstm"], ["gru"]) for target in targets)


def is_exported(model: Any) -> bool:
    """Whether it is a ``torch.export.ExportedProgram``."""
    return any(base.__name__ == "ExportedProgram" for base in type(model).__mro__)


def torch_dtype(name: str) -> Any:
    """Numpy's dtype name as a torch.dtype."""
    import torch

    return getattr(torch, name)


def named_outputs(result: Any) -> dict[str, Any]:
    """Outputs by name: keys of a dict, fields of a named tuple, else ``output`` or ``output_<i>``.

    Raises:
        SignatureError: a value is neither a tensor nor made of tensors.
    """
    import torch

    if isinstance(result, torch.Tensor):
        return {"output": result}
    if isinstance(result, Mapping):
        named = dict(result)
    elif hasattr(result, "_fields"):
        named = dict(zip(result._fields, result, strict=True))
    elif isinstance(result, list | tuple):
        named = {f"output_{index}": value for index, value in enumerate(result)}
    else:
        raise SignatureError(
            f"the model returns a {type(result).__name__}",
            hint="return a tensor, or a tuple or dict of tensors (a language model: use_cache=False)",
        )
    flat: dict[str, Any] = {}
    for name, value in named.items():
        if isinstance(value, torch.Tensor):
            flat[str(name)] = value
        elif value is not None:
            flat.update({f"{name}_{inner}": tensor for inner, tensor in named_outputs(value).items()})
    return flat


@contextlib.contextmanager
def eval_mode(module: Any) -> Iterator[None]:
    """Eval mode for the block; every submodule's own mode is put back, for the module is the caller's."""
    modes = {part: part.training for part in module.modules()}
    for part in modes:
        part.training = False
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def _as_call(examples: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if examples is None:
        return (), {}
    if isinstance(examples, Mapping):
        return (), dict(examples)
    return (tuple(examples), {}) if isinstance(examples, tuple | list) else ((examples,), {})


def _bound(module: Any, positional: tuple[Any, ...], keyword: Mapping[str, Any]) -> Arguments | None:
    """How forward is called: its parameters' names for the tensors in it; None without example inputs."""
    if not positional and not keyword:
        return None
    signature = inspect.signature(module.forward)
    try:
        signature.bind(*positional, **keyword)
    except TypeError as error:
        raise SignatureError(
            f"the example inputs do not fit {type(module).__name__}.forward{signature}: {error}"
        ) from error
    names = list(_positional_names(signature, len(positional)))
    return Arguments(
        tuple(template(name, value) for name, value in zip(names, positional, strict=True)),
        {name: template(name, value) for name, value in keyword.items()},
    )


def _by_shapes(module: Any, names: Collection[str]) -> Arguments:
    """Inputs that are known by the user's shapes alone: forward must take those names, and want no others."""
    signature = inspect.signature(module.forward)
    try:
        if names:
            signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        fixed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        taken = [one.name for one in signature.parameters.values() if one.kind not in fixed]
        needed = [name for name in taken if signature.parameters[name].default is inspect.Parameter.empty]
        unknown = [name for name in names if name not in taken]
        guess = nearest(unknown[0], taken) if unknown else ""
        raise SignatureError(
            f"{type(module).__name__}.forward cannot be called with the inputs {', '.join(names)}: {error}"
            f"{guess}; it takes {', '.join(taken) or 'no tensor by name'}",
            hint="give "
            + (" ".join(f"--input {name}=1,..." for name in needed) or "(model, {'name': tensor}) instead"),
        ) from error
    return Arguments((), {name: Leaf(name) for name in names})


def _positional_names(signature: inspect.Signature, count: int) -> Iterator[str]:
    """Names of positional arguments: the parameters', and ``<name>_<i>`` for those of ``*name``."""
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            yield from (f"{parameter.name}_{i}" for i in range(count))
            return
        if count == 0:
            return
        count -= 1
        yield parameter.name


def _zeros_of(options: SourceOptions) -> dict[str, Any]:
    import torch

    return {
        name: torch.zeros(shape, dtype=torch_dtype(options.dtypes.get(name, "float32")))
        for name, shape in options.shapes.items()
    }


def _spec(name: str, tensor: Any) -> TensorSpec:
    shape = tuple(int(extent) for extent in tensor.shape)
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype in ("bfloat16", "float16"):
        raise ModelError(
            f"input `{name}` is {dtype}", hint="convert model.float(); the recipe is what lowers the precision"
        )
    image = len(shape) == 4 and shape[1] in _IMAGE_CHANNELS and tensor.dtype.is_floating_point
    return TensorSpec(name, shape, dtype, "NCHW" if image else None)


def _with_open_dimensions(specs: Sequence[TensorSpec], program: Any) -> tuple[TensorSpec, ...]:
    """What a program was exported with as dynamic; for a module, a first dimension of one."""
    if program is None:
        return tuple(replace(s, shape=(None, *s.shape[1:])) if s.shape and s.shape[0] == 1 else s for s in specs)
    wanted = set(program.graph_signature.user_inputs)
    shapes = [n.meta["val"].shape for n in program.graph.nodes if n.op == "placeholder" and n.name in wanted]
    return tuple(
        replace(spec, shape=tuple(extent if isinstance(extent, int) else None for extent in shape))
        for spec, shape in zip(specs, shapes, strict=True)
    )

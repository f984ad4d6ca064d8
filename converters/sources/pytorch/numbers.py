"""Numbers that a module reads out of its own buffers, as constants of the exported graph.

Before: ``roll(x, -round(self.shift.item() * 3))``: torch.export cannot know that a buffer never changes, and hands a
symbol with Python's arithmetic on it to an exporter that has no form for it. After: ``roll(x, -4)``.
"""

from __future__ import annotations

from typing import Any


def with_numbers(program: Any, examples: tuple[Any, ...]) -> Any:
    """The program with every ``item()`` of a buffer or parameter evaluated; itself where there is none.

    Args:
        program: of ``torch.export``.
        examples: its inputs; it is exported once more, so that sizes made of those numbers are known.
    """
    import torch

    numbers = _Numbers(program)
    if not numbers.fold():
        return program
    return torch.export.export(program.module(), examples, strict=False)


class _Numbers:
    def __init__(self, program: Any) -> None:
        import torch

        self._graph = program.graph
        aten = torch.ops.aten
        self._asked = {aten.item.default, aten._local_scalar_dense.default}
        self._asserts = {aten._assert_scalar.default, aten.sym_constrain_range_for_size.default}
        self._asserts.add(aten.sym_constrain_range.default)
        signature = program.graph_signature
        changed = set(signature.buffers_to_mutate.values())
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        state = {**program.constants, **program.state_dict}
        self._values: dict[Any, Any] = {
            node: state[held[node.name]]
            for node in self._graph.nodes
            if node.op == "placeholder" and node.name in held and held[node.name] not in changed
        }

    def fold(self) -> bool:
        """Puts numbers in the place of what computes them; says whether there was one."""
        found = [node for node in self._graph.nodes if node.target in self._asked and self._value(node) is not None]
        if not found:
            return False
        for node in list(self._graph.nodes):
            if node.op == "call_function" and (node in found or self._is_arithmetic(node)):
                self._value(node)
        self._replace()
        return True

    def _value(self, node: Any) -> Any:
        """What a node computes of constants alone; None where it reads an input."""
        if node in self._values or node.op != "call_function":
            return self._values.get(node)
        if any(self._value(source) is None for source in node.all_input_nodes):
            return None
        self._values[node] = node.target(*_filled(node.args, self._values), **_filled(node.kwargs, self._values))
        return self._values[node]

    def _is_arithmetic(self, node: Any) -> bool:
        """Python's own arithmetic on numbers that were found."""
        sources = node.all_input_nodes
        return bool(sources) and all(isinstance(self._values.get(one), int | float) for one in sources)

    def _replace(self) -> None:
        numbers = {node: value for node, value in self._values.items() if isinstance(value, int | float)}
        for node in list(self._graph.nodes):
            if node.target in self._asserts and all(one in numbers for one in node.all_input_nodes):
                self._graph.erase_node(node)
            elif node not in numbers and node.op != "placeholder":
                node.args, node.kwargs = _filled(node.args, numbers), _filled(node.kwargs, numbers)
        for node in reversed(list(self._graph.nodes)):
            if node in numbers:
                self._graph.erase_node(node)


def _filled(arguments: Any, values: dict[Any, Any]) -> Any:
    from torch.fx.node import map_arg

    return map_arg(arguments, lambda node: values.get(node, node))

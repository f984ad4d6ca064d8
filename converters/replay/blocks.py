"""Where a graph is one value wide: blocks between such places can be learned each for itself."""

from __future__ import annotations

from edge_sdk.converters.replay.steps import Plan


def ends_of_blocks(plan: Plan) -> tuple[int, ...]:
    """Tensors of the template, in order, that alone carry everything computed before them: ends of residual blocks."""
    last = {operand.tensor: place for place, step in enumerate(plan.steps) for operand in step.operands}
    outputs = set(plan.template.main.outputs)
    waiting: set[int] = set(plan.template.main.inputs)
    found = []
    for place, step in enumerate(plan.steps[:-1]):
        waiting = {i for i in waiting | set(step.results) if last.get(i, -1) > place or i in outputs}
        if len(waiting) == 1 and waiting <= set(step.results):
            found.append(step.results[0])
    return tuple(i for i in found if i not in outputs)

"""PAD that the window behind it can do."""

from __future__ import annotations

from edge_sdk.converters.lower.direct.graph import Graph, Op
from edge_sdk.converters.lower.direct.ops.windows import Window
from edge_sdk.converters.lower.direct.passes.matching import Changes, View, by_rules, constant, integers


def fold_padding(graph: Graph) -> Graph:
    """Pads that are one, and that a convolution does itself.

    Before::

        p = PAD(x, 1 around)    y = CONV_2D(p, w, b) 3 x 3 with padding VALID
        a = PAD(x, p)    b = PAD(a, q)

    After::

        y = CONV_2D(x, w, b) with padding SAME
        b = PAD(x, p + q)
    """
    return by_rules(graph, {"CONV_2D": _same, "DEPTHWISE_CONV_2D": _same, "PAD": _joined})


def _pads(op: Op) -> list[tuple[int, int]] | None:
    flat = integers(op.inputs[1])
    return None if flat is None else list(zip(flat[::2], flat[1::2], strict=True))


def _joined(view: View, op: Op, changes: Changes) -> None:
    before = view.maker(op.inputs[0], "PAD")
    if before is None or changes.touches(before) or view.only_reader(before.output) is not op:
        return
    one, other = _pads(before), _pads(op)
    if one is None or other is None or before.inputs[0] is None:
        return
    both = [(a + c, b + d) for (a, b), (c, d) in zip(one, other, strict=True)]
    changes.replace(before)
    changes.replace(op, op.reading(before.inputs[0], constant(op.output.origin, both, "int32")))


def _same(view: View, op: Op, changes: Changes) -> None:
    before = view.maker(op.inputs[0], "PAD")
    if op.options.get("padding") != "VALID" or before is None or changes.touches(before):
        return
    x, pads, window = before.inputs[0], _pads(before), None
    if x is None or pads is None or len(pads) != 4 or any(pads[0]) or any(pads[3]):
        return
    window = _window(op, pads)
    if window is not None and view.only_reader(before.output) is op and window.is_same(x.shape[1:3]):
        changes.replace(before)
        changes.replace(op, op.reading(x, *op.inputs[1:]).having(padding="SAME"))


def _window(op: Op, pads: list[tuple[int, int]]) -> Window | None:
    weights = op.inputs[1]
    if weights is None:
        return None
    get = op.options.get
    return Window(
        kernel=weights.shape[1:3],
        strides=(get("stride_h", 1), get("stride_w", 1)),
        dilations=(get("dilation_h_factor", 1), get("dilation_w_factor", 1)),
        begins=(pads[1][0], pads[2][0]),
        ends=(pads[1][1], pads[2][1]),
    )

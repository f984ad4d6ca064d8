"""Rewrites of the finished graph, each a function from a graph to one that computes the same; in this order."""

from __future__ import annotations

from collections.abc import Callable

from edge_sdk.converters.lower.direct.graph import Graph, everywhere
from edge_sdk.converters.lower.direct.passes.dead import drop_dead
from edge_sdk.converters.lower.direct.passes.duplicates import merge_equal
from edge_sdk.converters.lower.direct.passes.engines.activations import fuse_activations
from edge_sdk.converters.lower.direct.passes.engines.casts import sink_casts
from edge_sdk.converters.lower.direct.passes.engines.clamps import keep_clamps_apart
from edge_sdk.converters.lower.direct.passes.engines.integers import to_integers
from edge_sdk.converters.lower.direct.passes.engines.kernels import take_kernels
from edge_sdk.converters.lower.direct.passes.engines.unsigned import stay_unsigned
from edge_sdk.converters.lower.direct.passes.folding.affine import fold_affine
from edge_sdk.converters.lower.direct.passes.folding.arithmetic import simplify_arithmetic
from edge_sdk.converters.lower.direct.passes.folding.borders import zero_borders
from edge_sdk.converters.lower.direct.passes.folding.error_function import write_out_erf
from edge_sdk.converters.lower.direct.passes.folding.forward import fold_affine_forward
from edge_sdk.converters.lower.direct.passes.folding.padding import fold_padding
from edge_sdk.converters.lower.direct.passes.folding.patterns import fuse_patterns
from edge_sdk.converters.lower.direct.passes.folding.scales import absorb_scales
from edge_sdk.converters.lower.direct.passes.folding.slopes import fuse_slopes
from edge_sdk.converters.lower.direct.passes.moving.channels import order_channels
from edge_sdk.converters.lower.direct.passes.moving.flattening import permute_dense_weights
from edge_sdk.converters.lower.direct.passes.moving.heads import turn_before_split
from edge_sdk.converters.lower.direct.passes.moving.moves import cancel_moves
from edge_sdk.converters.lower.direct.passes.moving.ranks import take_ranks
from edge_sdk.converters.lower.direct.passes.moving.reshapes import absorb_reshapes, drop_broadcasts
from edge_sdk.converters.lower.direct.passes.moving.shuffles import carry_shuffles
from edge_sdk.converters.lower.direct.passes.moving.sinking import sink_reshapes
from edge_sdk.converters.lower.direct.passes.moving.slices import join_slices

_SIMPLER: dict[str, Callable[[Graph], Graph]] = {
    "drop_dead": drop_dead,
    "merge_equal": merge_equal,
    "cancel_moves": cancel_moves,
    "drop_broadcasts": drop_broadcasts,
    "join_slices": join_slices,
    "absorb_reshapes": absorb_reshapes,
    "permute_dense_weights": permute_dense_weights,
    "fuse_patterns": fuse_patterns,
    "fuse_slopes": fuse_slopes,
    "sink_reshapes": sink_reshapes,
    "zero_borders": zero_borders,
    "fold_padding": fold_padding,
    "fold_affine": fold_affine,
    "order_channels": order_channels,
    "simplify_arithmetic": simplify_arithmetic,
    "absorb_scales": absorb_scales,
    "turn_before_split": turn_before_split,
    "fold_affine_forward": fold_affine_forward,
}
# What engines want: after all that looks for the ops' own forms.
_FINAL: dict[str, Callable[[Graph], Graph]] = {
    "write_out_erf": write_out_erf,
    "cancel_moves_again": cancel_moves,
    "fuse_activations": fuse_activations,
    "carry_shuffles": carry_shuffles,
    "sink_casts": sink_casts,
    "take_kernels": take_kernels,
    "take_ranks": take_ranks,
    "to_integers": to_integers,
    "stay_unsigned": stay_unsigned,
    "cancel_moves_at_the_end": cancel_moves,
    "keep_clamps_apart": keep_clamps_apart,
    "drop_dead_at_the_end": drop_dead,
}
PASSES: dict[str, Callable[[Graph], Graph]] = {**_SIMPLER, **_FINAL}
"""Name to pass, in the order in which they run."""
_ROUNDS = 4


def run(graph: Graph) -> Graph:
    """All passes, in the bodies of loops and branches as well; what one has made simpler is shown to all again."""
    for _ in range(_ROUNDS):
        before = graph.ops
        for one in _SIMPLER.values():
            graph = everywhere(one)(graph)
        if graph.ops == before:
            break
    for one in _FINAL.values():
        graph = everywhere(one)(graph)
    return graph

"""All lint rules over a file. What they say is read off the file; nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor
from edge_sdk.artifact.sound import formed
from edge_sdk.checks.lint import claims, conversions, leftovers, loops, narrow, scales, weights
from edge_sdk.checks.lint.scene import LintFinding, Mark, Rule, Scene, scene_of

LINT_RULES: tuple[Rule, ...] = (
    *claims.RULES,
    *scales.RULES,
    *weights.RULES,
    *conversions.RULES,
    *leftovers.RULES,
    *loops.RULES,
    *narrow.RULES,
)
"""Every rule, in order. A new family is one file and one line here."""
_NAME = 40
_MADE_UP = re.compile(r"(tfl\.(pseudo_)?q?const|arith\.constant|std\.constant)\d*")
_ORDER = {"error": 0, "warning": 1, "info": 2}


def lint(artifact: Artifact) -> tuple[LintFinding, ...]:
    """Mistakes in a file, the gravest first; within a severity the costliest first.

    Raises:
        ModelError: an op is not formed as its kernel needs it.
    """
    with (
        formed(artifact.path),
        np.errstate(all="ignore"),
    ):  # scales and constants may be infinite or NaN, which is what some rules look for
        found = [finding for graph in artifact.subgraphs for finding in _graph(artifact, graph)]
    places = {rule.id: place for place, rule in enumerate(LINT_RULES)}
    return tuple(sorted(found, key=lambda f: (_ORDER[f.severity], -f.share, places[f.rule], f.subgraph, f.op or 0)))


def _graph(artifact: Artifact, graph: Subgraph) -> Iterator[LintFinding]:
    scene = scene_of(artifact, graph)
    for rule in LINT_RULES:
        if scene.is_main or not rule.whole_file:
            yield from (finding_of(scene, rule.id, rule.hint, mark) for mark in rule.check(scene))


def finding_of(scene: Scene, rule: str, hint: str, mark: Mark) -> LintFinding:
    """What a rule found, with its place in words."""
    return LintFinding(
        rule=rule,
        severity=mark.severity,
        message=mark.message,
        where=mark.where or _where(scene, mark),
        hint=hint,
        subgraph=scene.graph.index,
        op=mark.op.index if mark.op else None,
        tensor=mark.tensor.index if mark.tensor else None,
        found=mark.found,
        limit=mark.limit,
        share=round(mark.share, 6),
    )


def _where(scene: Scene, mark: Mark) -> str:
    inner = "" if scene.is_main else f"subgraph {scene.graph.index} "
    if mark.op is not None:
        return f"{inner}op {mark.op.index} {mark.op.name}{_of(scene, mark.op, mark.tensor)}"
    return f"{inner}tensor `{mark.tensor.name or mark.tensor.index}`" if mark.tensor else "file"


def _of(scene: Scene, op: Op, tensor: Tensor | None) -> str:
    if tensor is not None and _MADE_UP.fullmatch(tensor.name):
        # A converter's own number says nothing: the op's result bears the name that the source gave.
        tensor = scene.tensor(op.outputs, 0)
    name = tensor.name.split(";", maxsplit=1)[0] if tensor is not None else ""
    return f" `{name[:_NAME]}`" if name else ""

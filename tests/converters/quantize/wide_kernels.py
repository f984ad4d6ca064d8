"""Single ops of 16 bits over the ranges that networks give them: which are right, wrong, or refused by the engine.

``python -m tests.converters.quantize.wide_kernels [RECIPE]`` writes every case as a file, runs it, and prints what
became of it; the fast tests take some of these cases.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.summary import float_ops
from edge_sdk.converters.quantize.forms.integer_forms import with_integer_forms
from edge_sdk.converters.quantize.quantizer_package import opened
from edge_sdk.converters.quantize.static_range import quantize
from edge_sdk.data import spool
from edge_sdk.data.opening import DataSource
from edge_sdk.engines.values import specs_of
from edge_sdk.errors import EdgeSdkError
from edge_sdk.parity.ops import check_ops
from edge_sdk.recipe import Int16, Recipe, find_recipe
from tests.converters.quantize.wide_cases import Case, every

_SAMPLES = 16


@dataclass(frozen=True)
class Outcome:
    """What became of a case: ``error`` where there is no file that runs, ``faults`` where an op is wrong."""

    error: str
    faults: tuple[str, ...]
    floats: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def word(self) -> str:
        """``right``, right with an op in ``float``, ``wrong`` or ``refused``."""
        return "refused" if self.error else "wrong" if self.faults else "float" if self.floats else "right"


def tried(case: Case, recipe: Recipe, folder: Path) -> Outcome:
    """Writes a case as a file of that recipe, and holds each op of it to its float twin.

    Args:
        case: to try.
        recipe: ``int16x8``, or int8 with ops in int16.
        folder: to work in.
    """
    source, made, store = folder / "source.tflite", folder / "made.tflite", folder / "samples"
    source.write_bytes(with_integer_forms(case.data, recipe))
    rng = np.random.default_rng(0)
    samples = [{"x": case.draw(rng).astype(np.float32)} for _ in range(_SAMPLES)]
    given = DataSource("values", len(samples), lambda: iter(samples))
    spool(given, specs_of(parse_artifact(case.data).signature.inputs), store)
    try:
        told = quantize(str(source), str(made), recipe.as_json(), str(store), {})
        check = check_ops(made.read_bytes(), samples)
    except EdgeSdkError as error:
        return Outcome(str(error), (), (), ())
    artifact = parse_artifact(made.read_bytes())
    return Outcome(
        "",
        tuple(str(fault) for fault in check.faults),
        tuple(op.name for _, op in float_ops(artifact)),
        tuple(finding["rule"] for finding in told["findings"]),
    )


def _apart_tried(case: Case, recipe: Recipe) -> tuple[str, str]:
    """In a process of its own, for some kernels abort: the verdict in a word, and what was said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = ("died", "an error that nothing tells")
        try:
            with tempfile.TemporaryDirectory() as folder:
                outcome = tried(case, recipe, Path(folder))
            said = (
                outcome.word,
                outcome.error or "; ".join(outcome.faults) or " ".join((*outcome.floats, *outcome.rules)),
            )
        except Exception as error:  # told, and the next case is tried
            said = ("died", f"{type(error).__name__}: {error}")
        finally:
            os.write(writing, json.dumps(said).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    os.waitpid(child, 0)
    return tuple(json.loads(text)) if text else ("died", "of a signal")


def main(recipe: str = "int16x8", only: str = "") -> None:
    """Every case whose name holds ``only``; of recipe ``int8`` each op of it is asked for in int16."""
    # Once, before the forks.
    opened("this sweep")
    counts: Counter[str] = Counter()
    for case in (case for case in every() if only in case.name):
        wanted = find_recipe(recipe)
        if wanted.activations.dtype == "int8":
            kinds = {f"^{op.name}$" for op in parse_artifact(with_integer_forms(case.data, wanted)).main.ops}
            wanted = replace(wanted, int16=Int16(tuple(sorted(kinds))))
        word, what = _apart_tried(case, wanted)
        counts[word] += 1
        print(f"{word}\t{case.name}\t{what[:230]}", flush=True)
    print(recipe, dict(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])

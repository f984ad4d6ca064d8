"""A rule set asked about the ops of a graph: taken, or the first thing that stands in the way.

Everything here is *predicted* from the rules that the delegate's source states; nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType

from edge_sdk.artifact.model import Op, Quantization, Subgraph, Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.placement.rules import OPTION_LABELS, Form, Limits, Operand, OptionLimits, RuleSet
from edge_sdk.checks.placement.site import (
    EIGHT_BITS,
    STORED_WORDS,
    Check,
    Reason,
    Site,
    normal,
    pair,
    pair_in_words,
    stored_as,
)


@dataclass(frozen=True)
class Placement:
    """What a delegate is predicted to claim of one subgraph.

    Attributes:
        subgraph: its index.
        claimed: op indices, ascending.
        refused: op index to the first constraint that fails, for all other ops.
        failures: op index to why the engine will refuse to load or to run the file, mostly because the op is claimed.
    """

    subgraph: int
    claimed: tuple[int, ...]
    refused: Mapping[int, Reason] = field(default_factory=dict)
    failures: Mapping[int, Reason] = field(default_factory=dict)


def place(rules: RuleSet, graph: Subgraph, checks: Mapping[str, Check], *, level: int | None = None) -> Placement:
    """The ops of one subgraph, each on its own, as a delegate without a memory takes them.

    Args:
        rules: what the delegate takes.
        graph: one subgraph.
        checks: what the rules name in ``also``.
        level: NNAPI feature level of the device; None leaves out what depends on it.
    """
    refused = {op.index: reason for op in graph.ops if (reason := refusal(rules, graph, op, checks, level=level))}
    claimed = tuple(op.index for op in graph.ops if op.index not in refused)
    return Placement(graph.index, claimed, MappingProxyType(refused))


def refusal(
    rules: RuleSet,
    graph: Subgraph,
    op: Op,
    checks: Mapping[str, Check],
    unpacked: Mapping[int, str] = MappingProxyType({}),
    *,
    level: int | None = None,
) -> Reason | None:
    """The first constraint that the op fails, None if it is predicted to be taken."""
    rule = rules.by_op.get(rule_key(op))
    if rule is None:
        message = f"{rules.title} has no {op.name}"
        return Reason("op-not-handled", message, op.index, op.name, rule_key(op), f"{len(rules.by_op)} other ops")
    site = Site(rules, rule, graph, op, unpacked, level=level)
    constraints = (_level(site), _version(site), _counts(site), _operands(site), _relations(site), _also(site, checks))
    return next(chain.from_iterable(constraints), None)


def rule_key(op: Op) -> str:
    """The name under which rules list the op."""
    return f"{op.name}:{op.options.get('name')}" if op.name == "STABLEHLO_COMPOSITE" else op.name


def _level(site: Site) -> Iterator[Reason]:
    if site.below(site.rule.min_level):
        takes = f"{site.rules.title} takes {site.op.name} from feature level {site.rule.min_level} on"
        yield site.reason("feature-level", f"the device has {site.level}, {takes}", site.level, site.rule.min_level)


def _version(site: Site) -> Iterator[Reason]:
    version, rule, title = site.op.version, site.rule, site.rules.title
    if rule.max_version is not None and version > rule.max_version:
        message = f"{site.op.name} is of version {version}, {title} takes versions up to {rule.max_version}"
        yield site.reason("op-version", message, version, rule.max_version)
    if version in rule.refused_versions:
        yield site.reason("op-version", f"{title} takes no {site.op.name} of version {version}", version, "another")


def _counts(site: Site) -> Iterator[Reason]:
    for rule, side, operands, indices in (
        ("input-count", "input", site.rule.inputs, site.op.inputs),
        ("output-count", "output", site.rule.outputs, site.op.outputs),
    ):
        ranges = [(0 if o.optional else 1, 1) if o.count is None else o.count for o in operands]
        limits = Limits(sum(low for low, _ in ranges), sum(high for _, high in ranges))
        if not limits.hold(len(indices)):
            plural = "" if len(indices) == 1 else "s"
            message = f"{site.op.name} has {len(indices)} {side}{plural}, {site.rules.title} takes {limits}"
            yield site.reason(rule, message, len(indices), limits)


def _operands(site: Site) -> Iterator[Reason]:
    for operand, tensor in (*site.inputs, *site.outputs):
        if tensor is not None:
            yield from _type(site, operand, tensor)
            yield from _shape(site, operand, tensor)
            yield from _constant(site, operand, tensor)
        elif not operand.optional:
            message = f"{operand.name} is absent, {site.rules.title} needs it"
            yield site.reason("operand-absent", message, "absent", operand.name)


def _type(site: Site, operand: Operand, tensor: Tensor) -> Iterator[Reason]:
    forms = site.rules.types[operand.type] if operand.type else ()
    fits = [form for form in forms if tensor.dtype in form.dtypes]
    if forms and not fits:
        takes = _either([dtype for form in forms for dtype in form.dtypes])
        yield site.about("tensor-type", tensor, f"is {tensor.dtype}", takes)
        return
    stored = stored_as(tensor)
    kin = [form for form in fits if form.quantization in {"any", stored}]
    if fits and not kin:
        takes = _either([STORED_WORDS[form.quantization] for form in fits])
        yield site.about("tensor-quantization", tensor, f"is {tensor.dtype} with {STORED_WORDS[stored]}", takes)
        return
    faults = [next(_form(site, form, tensor), None) for form in kin]
    if faults and all(faults):
        yield from (fault for fault in faults if fault)


def _form(site: Site, form: Form, tensor: Tensor) -> Iterator[Reason]:
    quantization = tensor.quantization
    if quantization is not None:
        yield from _parameters(site, form, tensor, quantization)
    if form.rank and not form.rank.hold(len(tensor.shape)):
        yield site.about("tensor-rank", tensor, f"has rank {len(tensor.shape)}", f"rank {form.rank}")
    if site.below(form.min_level):
        takes = f"{site.rules.title} takes that from feature level {form.min_level} on, the device has {site.level}"
        message = f"{site.called(tensor)} is {tensor.dtype}, {takes}"
        yield site.reason("feature-level", message, site.level, form.min_level, tensor)


def _parameters(site: Site, form: Form, tensor: Tensor, quantization: Quantization) -> Iterator[Reason]:
    if form.axis is not None and quantization.axis != form.axis:
        found, takes = f"is quantized along dimension {quantization.axis}", f"dimension {form.axis}"
        yield site.about("quantization-axis", tensor, found, takes)
    poor = (s for s in dict.fromkeys(quantization.scale) if not (s > 0 and normal(s)))
    if form.normal_scales and (first := next(poor, None)) is not None:
        yield site.about("quantization-scale", tensor, f"has scale {first:g}", "positive, normal scales")
    if form.zero_point and not form.zero_point.hold(quantization.zero_point[0]):
        found, takes = f"has zero point {quantization.zero_point[0]}", f"zero points of {form.zero_point}"
        yield site.about("quantization-zero-point", tensor, found, takes)


def _shape(site: Site, operand: Operand, tensor: Tensor) -> Iterator[Reason]:
    rank = len(tensor.shape)
    if operand.rank and not operand.rank.hold(rank):
        yield site.about("tensor-rank", tensor, f"has rank {rank}", f"rank {operand.rank}")
    if operand.nonempty and 0 in tensor.shape:
        yield site.about("tensor-empty", tensor, f"has shape {list(tensor.shape)}", "dimensions of 1 or more")
    if operand.elements and not operand.elements.hold(tensor.elements):
        yield site.about("tensor-elements", tensor, f"has {tensor.elements} values", f"{operand.elements}")


def _constant(site: Site, operand: Operand, tensor: Tensor) -> Iterator[Reason]:
    if operand.constant is None:
        return
    if not tensor.is_stored and not (operand.constant == "unpacked" and tensor.index in site.unpacked):
        yield site.about("tensor-constant", tensor, "is computed at run time", "a constant there")
    if operand.values and tensor.constant is not None:
        outside = [v for v in tensor.values().ravel().tolist() if not operand.values.hold(v)]
        if outside:
            yield site.about("constant-value", tensor, f"holds {outside[0]}", f"values of {operand.values}")


def _relations(site: Site) -> Iterator[Reason]:
    for name, limits in site.rule.options.items():
        yield from _option(site, name, limits)
    yield from _same_type(site)
    yield from _same_quantization(site)


def _option(site: Site, name: str, limits: OptionLimits) -> Iterator[Reason]:
    value = site.option(name)
    found, takes, fits = f"{value:g}", str(limits) if not limits.one_of else "", limits.hold(value)
    if limits.one_of:
        found = schema().enums[OPTION_LABELS[name]].get(int(value), found)
        takes, fits = _either(limits.one_of), found in limits.one_of
    if not fits:
        message = f"{name} is {found}, {site.rules.title} takes {takes}"
        yield site.reason("option-value", message, found, takes)


def _named(site: Site, names: tuple[str, ...]) -> list[Tensor]:
    pairs = (*site.inputs, *site.outputs)
    return [tensor for operand, tensor in pairs if operand.name in names and tensor is not None]


def _same_type(site: Site) -> Iterator[Reason]:
    tensors = _named(site, site.rule.same_type)
    for other in tensors[1:]:
        if other.dtype != tensors[0].dtype:
            takes = f"the type of {site.called(tensors[0])}, {tensors[0].dtype}"
            yield site.about("mixed-types", other, f"is {other.dtype}", takes)


def _same_quantization(site: Site) -> Iterator[Reason]:
    tensors = _named(site, site.rule.same_quantization)
    for other in tensors[1:]:
        if other.dtype in EIGHT_BITS and pair(other) != pair(tensors[0]):
            takes = f"{pair_in_words(tensors[0])} as {site.called(tensors[0])}"
            yield site.about("mixed-quantization", other, f"has {pair_in_words(other)}", takes)


def _also(site: Site, checks: Mapping[str, Check]) -> Iterator[Reason]:
    return (reason for name in site.rule.also if (reason := checks[name](site)))


def _either(words: list[str] | tuple[str, ...]) -> str:
    """``a, b or c``, each once."""
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} or {last}" if most else last

"""Which ops a delegate takes, as data: the records of ``device_profiles/rules/*.toml``, and their strict reader.

A rule says what an op's operands may be; what data cannot say is a Python function that the rule names in ``also``.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Literal

from edge_sdk.artifact.schema import schema
from edge_sdk.errors import ProfileError, nearest
from edge_sdk.profile.rule_sets import rule_set_names
from edge_sdk.records import RecordError, read_record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from importlib.abc import Traversable

Dtype = Literal[
    "float32", "float16", "bfloat16", "int2", "int4", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64",
    "bool", "string", "resource", "variant",
]  # fmt: skip
Stored = Literal["any", "none", "per_tensor", "per_channel", "blockwise"]
OPTION_LABELS: Mapping[str, str] = {
    "fused_activation_function": "ActivationFunctionType",
    "padding": "Padding",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "mode": "MirrorPadMode",
}
"""Options that hold a label of an enum of the schema; a rule lists the labels in ``one_of``."""


@dataclass(frozen=True)
class Limits:
    """A closed range; an open side has no limit."""

    min: float | None = None
    max: float | None = None

    def hold(self, value: float) -> bool:
        """Whether the value is inside."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    def __str__(self) -> str:
        if self.min == self.max:
            return f"{self.min:g}"
        if self.max is None:
            return f"{self.min:g} or more"
        return f"{self.max:g} or less" if self.min is None else f"{self.min:g} to {self.max:g}"


@dataclass(frozen=True)
class OptionLimits(Limits):
    """Likewise for an option of an op; ``one_of`` for options that hold a label (``SAME``, ``RELU6``)."""

    one_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """One way in which a tensor may be stored.

    ``quantization`` is ``any`` where the delegate does not look at it. ``axis`` is the quantized dimension,
    ``normal_scales`` asks for scales that are positive, finite and not subnormal, ``zero_point`` for a first zero
    point in that range, ``min_level`` for a device of that NNAPI feature level. ``since`` is the first engine that
    takes it, ``until`` the first that no longer does.
    """

    dtypes: tuple[Dtype, ...]
    quantization: Stored = "any"
    axis: int | None = None
    normal_scales: bool = False
    zero_point: Limits | None = None
    rank: Limits | None = None
    min_level: int | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Operand:
    """An input or output of an op.

    Attributes:
        name: what messages call it.
        type: name of an entry of ``types``; None where the delegate does not look.
        rank: number of dimensions.
        nonempty: every dimension is 1 or more.
        constant: ``stored`` in the file, or that or ``unpacked`` by the delegate from what is stored.
        elements: number of values.
        values: what each value of a constant may be.
        count: how many tensors in a row this stands for, where that is not one.
        optional: may be absent (index -1, or left out at the end).
        parameter: read while the delegate is built and not a tensor of its graph afterwards.
    """

    name: str
    type: str | None = None
    rank: Limits | None = None
    nonempty: bool = False
    constant: Literal["stored", "unpacked"] | None = None
    elements: Limits | None = None
    values: Limits | None = None
    count: tuple[int, int] | None = None
    optional: bool = False
    parameter: bool = False


@dataclass(frozen=True)
class Change:
    """What replaces a rule's functions from one engine on."""

    since: str
    also: tuple[str, ...] | None = None
    to_load: tuple[str, ...] | None = None


@dataclass(frozen=True)
class OpRule:
    """What is asked of the ops named.

    Attributes:
        ops: builtin names; ``CUSTOM:name`` or ``STABLEHLO_COMPOSITE:name`` for ops that carry a name of their own.
        inputs: in the op's order.
        outputs: likewise.
        max_version: highest op version.
        refused_versions: single versions that are not taken.
        min_level: lowest NNAPI feature level of the device.
        options: limits of the builtin options; an option that the file leaves out counts as 0.
        same_type: operands that must agree in type.
        same_quantization: operands that must agree in scale and zero point where they are of 8 bits.
        also: functions of the delegate's Python file, asked last and in this order.
        to_load: likewise, for what the delegate finds out only after it has claimed the op: the file will not load.
        since: the first engine that has the rule.
        changes: what later engines ask instead, by engine.
    """

    ops: tuple[str, ...]
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    max_version: int | None = None
    refused_versions: tuple[int, ...] = ()
    min_level: int | None = None
    options: Mapping[str, OptionLimits] = field(default_factory=dict)
    same_type: tuple[str, ...] = ()
    same_quantization: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    to_load: tuple[str, ...] = ()
    since: str | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class RuleSource:
    """Where the rules were read: the file, and the version of the project that it is part of."""

    file: str
    version: str
    note: str = ""


@dataclass(frozen=True)
class RuleSet:
    """The claim rules of one delegate in one version; ops without a rule are not taken.

    ``title`` is what messages call the delegate; ``engines`` are the versions of ai-edge-litert that the data tells
    apart, oldest first, ``engine`` the one of them that the rules here are for. ``max_partitions`` is how many
    partitions it keeps by its default options, the largest by number of ops, ``partitions_option`` the option's name,
    and ``min_partition_ops`` how many ops one must have. ``fixed_sizes``: it leaves a subgraph alone in which the size
    of any tensor is known in a run only.
    """

    name: str
    title: str
    delegate: Literal["xnnpack", "gpu", "nnapi", "external"]
    source: RuleSource
    types: Mapping[str, tuple[Form, ...]]
    rules: tuple[OpRule, ...]
    engines: tuple[str, ...] = ()
    max_partitions: int | None = None
    partitions_option: str = ""
    min_partition_ops: int = 1
    fixed_sizes: bool = False
    engine: str | None = None

    @cached_property
    def by_op(self) -> Mapping[str, OpRule]:
        """Op name to its rule."""
        return {op: rule for rule in self.rules for op in rule.ops}


def find_rules(name: str, functions: Collection[str]) -> RuleSet:
    """A built-in rule set.

    Args:
        name: name of its file.
        functions: what ``also`` and ``to_load`` may name.

    Raises:
        ProfileError: no such set, or its file has faults; lists them all.
    """
    if name not in rule_set_names():
        raise ProfileError(f"unknown rule set `{name}`{nearest(name, rule_set_names())}")
    rules, faults = read_rules(_folder() / f"{name}.toml", functions)
    if rules is None:
        raise ProfileError(f"rules/{name}.toml: {'; '.join(faults)}")
    return rules


def read_rules(file: Traversable, functions: Collection[str]) -> tuple[RuleSet | None, tuple[str, ...]]:
    """One rule file, and its faults; the rule set is None where there are any."""
    try:
        rules = read_record(RuleSet, tomllib.loads(file.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        return None, (f"not TOML: {error}",)
    except UnicodeDecodeError:
        return None, ("not UTF-8",)
    except OSError as error:
        return None, (f"cannot be read: {error.strerror}",)
    except RecordError as error:
        return None, tuple(error.problems)
    faults = tuple(rule_faults(rules, functions))
    return (None if faults else rules), faults


def rule_faults(rules: RuleSet, functions: Collection[str]) -> Iterator[str]:
    """What the records' types cannot say, each with its path in the file."""
    if not rules.source.file.strip() or not rules.source.version.strip():
        yield "source: say which file was read, and in which version"
    for name, forms in rules.types.items():
        for place, form in enumerate(forms):
            named = [one for one in (form.since, form.until) if one]
            yield from _unknown(f"types.{name}[{place}]", "engine", named, rules.engines)
            yield from _range(f"types.{name}[{place}].rank", form.rank)
            yield from _range(f"types.{name}[{place}].zero_point", form.zero_point)
    for op, count in Counter(op for rule in rules.rules for op in rule.ops).items():
        if count > 1:
            yield f"rules: {op} has {count} rules"
    for place, rule in enumerate(rules.rules):
        yield from (f"rules[{place}].{fault}" for fault in _op_faults(rule, rules.types, functions))
        named = [one for one in (rule.since, *(change.since for change in rule.changes)) if one]
        yield from _unknown(f"rules[{place}].since", "engine", named, rules.engines)


def _op_faults(rule: OpRule, types: Collection[str], functions: Collection[str]) -> Iterator[str]:
    yield from _unknown("ops", "op", [op.partition(":")[0] for op in rule.ops], _op_names())
    operands = {"inputs": rule.inputs, "outputs": rule.outputs}
    for side, listed in operands.items():
        for place, operand in enumerate(listed):
            yield from (f"{side}[{place}].{fault}" for fault in _operand_faults(operand, types))
        yield from (f"{side}{fault}" for fault in _order_faults(listed))
    names = [operand.name for listed in operands.values() for operand in listed]
    yield from _unknown("same_type", "operand", rule.same_type, names)
    yield from _unknown("same_quantization", "operand", rule.same_quantization, names)
    yield from _unknown("options", "option", rule.options, _option_names())
    for name, limits in rule.options.items():
        yield from _option_faults(name, limits)
    later = rule.changes
    asked = {"also": [rule.also, *(change.also or () for change in later)]}
    asked["to_load"] = [rule.to_load, *(change.to_load or () for change in later)]
    for key, lists in asked.items():
        yield from _unknown(key, "function", [name for names in lists for name in names], functions)


def _operand_faults(operand: Operand, types: Collection[str]) -> Iterator[str]:
    yield from _unknown("type", "type", [operand.type] if operand.type else [], types)
    for key in ("rank", "elements", "values"):
        yield from _range(key, getattr(operand, key))
    if operand.values and not operand.constant:
        yield "values: only a constant's can be read"
    if operand.count and not 0 <= operand.count[0] <= operand.count[1]:
        yield f"count: {operand.count[0]} to {operand.count[1]} is no range"


def _order_faults(operands: tuple[Operand, ...]) -> Iterator[str]:
    """What comes after an operand that repeats could not be told from it."""
    for place, operand in enumerate(operands[:-1]):
        if operand.count:
            yield f"[{place}].count: only the last operand can stand for several"


def _option_faults(name: str, limits: OptionLimits) -> Iterator[str]:
    yield from _range(f"options.{name}", limits)
    if limits.one_of and name not in OPTION_LABELS:
        yield f"options.{name}.one_of: holds a number, not a label"
    elif limits.one_of:
        yield from _unknown(f"options.{name}.one_of", "label", limits.one_of, _labels(OPTION_LABELS[name]))
    elif limits.min is None and limits.max is None:
        yield f"options.{name}: says no limit"


def _range(path: str, limits: Limits | None) -> Iterator[str]:
    if limits and limits.min is not None and limits.max is not None and limits.min > limits.max:
        yield f"{path}: min {limits.min:g} is above max {limits.max:g}"


def _unknown(path: str, what: str, given: Collection[str], known: Collection[str]) -> Iterator[str]:
    return (f"{path}: unknown {what} `{name}`{nearest(name, known)}" for name in given if name not in known)


def _op_names() -> Collection[str]:
    return set(_labels("BuiltinOperator"))


def _labels(enum: str) -> Collection[str]:
    return schema().enums[enum].values()


def _option_names() -> Collection[str]:
    tables = schema().tables
    return {field.name for table, fields in tables.items() if table.endswith("Options") for field in fields}


def _folder() -> Traversable:
    return resources.files("edge_sdk.device_profiles.rules")

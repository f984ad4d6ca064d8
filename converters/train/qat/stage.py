"""The stage itself, the same for both frameworks but for the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.jobs import Template
from edge_sdk.converters.options import Options, Settings, settings_from
from edge_sdk.converters.pipeline import make_template
from edge_sdk.converters.quantize.weights.equalizing import equalized
from edge_sdk.converters.replay.engine import Gate, gates
from edge_sdk.converters.replay.plan import make_plan
from edge_sdk.converters.replay.steps import Plan
from edge_sdk.converters.sources.from_trained import TrainedGraph
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.train.qat.agreement import Agreement, OpError, agreement, blame, listing
from edge_sdk.converters.train.qat.preserved import Preserved
from edge_sdk.converters.train.qat.writing import scales_of, write_float, write_template
from edge_sdk.converters.train.stage import Context, Moment, PlainStage, whole_arrays
from edge_sdk.converters.workers.child import running
from edge_sdk.errors import TrainingError
from edge_sdk.findings import Finding
from edge_sdk.folders import temporary_folder
from edge_sdk.recipe import Recipe
from edge_sdk.recipe.training import Qat, Train
from edge_sdk.signature import Arrays

Array = npt.NDArray[Any]
_COMPARED = 256
_BLAMED = 8


class QatBase(PlainStage):
    """Lower, quantize, train the int8 file, write it."""

    name = "qat"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.settings = cast("Qat", context.settings)
        self.source_file: bytes | None = None
        """The source as a float file, where this stage was the first to need one."""
        self._template: Template | None = None
        self._plan: Plan | None = None
        self._facts: dict[str, Any] = {}
        self._kept: dict[str, Preserved] = {}
        self.findings: list[Finding] = []

    def build(self, plan: Plan, inputs: tuple[Gate, ...], outputs: tuple[Gate, ...]) -> Any:
        """The engine, in the framework."""
        raise NotImplementedError

    def check(self, model: Any) -> list[Finding]:
        """Makes the file now: what it leaves in float, or cannot be trained, is said before any stage is trained."""
        refuse_batch(self.context)
        self._make(model)
        train = cast("Train", self.context.recipe.train)
        if next(iter(train.stages)) != self.name:
            # What the stages before leave has other weights, and perhaps other shapes.
            self._template = self._plan = None
        return self.findings

    def prepare(self, model: Any) -> Any:
        """The engine of the template, compared with the template itself."""
        if self._template is None:
            self._make(model)
        template, plan = self._made()
        ports = (template.lowered.inputs, template.lowered.outputs)
        main = plan.template.main
        engine = self.build(plan, gates(plan, ports[0], main.inputs), gates(plan, ports[1], main.outputs))
        self._keep(engine)
        # A form of an op that a kernel does not know shows here, before anything is trained.
        with running(self.context.framework.name, "running the int8 file's ops one by one"):
            self._facts["before training"] = self._compared(engine, template.quantized)
        self._facts["int8 without training"] = f"{self.context.evaluate(engine):.5g}"
        return engine

    def after_step(self, model: Any, moment: Moment) -> None:  # noqa: ARG002
        """Zeros stay zero and equal weights equal, where an earlier stage made them so."""
        if self._kept:
            now = model.parameters_now()
            for name, kept in self._kept.items():
                model.set_parameter(name, kept.apply(now[name]))

    def finish(self, model: Any) -> Any:
        """Writes the files and compares the engine with the int8 one."""
        template, plan = self._made()
        parameters, scales = model.parameters_now(), model.scales_now()
        quantized = write_template(template.quantized, plan, parameters, scales)
        model.trained = TrainedGraph(
            self.context.framework.name,
            self.context.recipe.name,
            self.context.framework.inputs,
            self.context.framework.outputs,
            template.lowered.inputs,
            template.lowered.outputs,
            write_float(template.float_bytes, plan, parameters),
            quantized,
            lambda arrays, rounding: _predict(self.context.framework, model, arrays, rounding=rounding),
            f"quantization-aware training on the file of {', '.join(template.tools)}",
        )
        model.learned = scales_of(parse_artifact(quantized))
        self._facts["fake-quant and file"] = self._compared(model, quantized)
        return model

    def facts(self) -> dict[str, Any]:
        """What was quantized, kept and compared."""
        return dict(self._facts)

    def _made(self) -> tuple[Template, Plan]:
        if self._template is None or self._plan is None:
            raise ValueError("prepare() first")
        return self._template, self._plan

    def _make(self, model: Any) -> None:
        context = self.context
        count = self.settings.calibration_samples
        options: dict[str, Any] = {
            **context.source_options,
            **(self._template_options() if context.source_options.get("lowering", "auto") == "auto" else {}),
            "calibration": whole_arrays(context.data.epoch(0), count),
            "timing": False,
            "seed": context.seed,
        }
        settings = settings_from(cast("Options", options))
        plain = replace(context.recipe, train=None)
        template = make_template(context.framework.convertible(model), plain, settings, context.progress)
        if self.source_file is None:
            self.source_file = template.float_bytes
        self._template = self._equalized(template, plain, settings)
        self._plan = make_plan(parse_artifact(self._template.quantized), self._template.lowered.artifact)
        self.findings = list(self._template.findings)
        self._describe(self._plan)

    def _equalized(self, template: Template, recipe: Recipe, settings: Settings) -> Template:
        """The template of the equalized float file, where that differs."""
        data, count = template.float_bytes, 0
        if self.settings.equalize and not any(self._keeps()):
            data, count = equalized(template.float_bytes)
        if not count:
            return template
        self._facts["equalized"] = f"channels between {count} pairs of layers"
        ports = {port.name: port.axes for port in template.lowered.inputs}
        arrays = cast("Mapping[str, Array]", settings.calibration)
        moved = {name: _transposed(values, ports[name]) for name, values in arrays.items()}
        with temporary_folder("qat") as folder:
            path = Path(folder) / "equalized.tflite"
            path.write_bytes(data)
            plain = replace(settings, options=SourceOptions(), calibration=moved, work_dir=None)
            made = make_template(str(path), recipe, plain, self.context.progress)
        # The ports' layouts are those of the source, which only the first template knows.
        lowered = replace(template.lowered, artifact=parse_artifact(made.float_bytes))
        return replace(template, lowered=lowered, float_bytes=made.float_bytes, quantized=made.quantized)

    def _template_options(self) -> dict[str, Any]:
        """How the template is made where the user does not say."""
        return {}

    def _keeps(self) -> tuple[bool, bool]:
        """Whether zeros and whether clusters must stay."""
        train = cast("Train", self.context.recipe.train)
        zeros, clusters = self.settings.keep_zeros, self.settings.keep_clusters
        return (
            train.prune is not None if zeros is None else zeros,
            train.cluster is not None if clusters is None else clusters,
        )

    def _describe(self, plan: Plan) -> None:
        learned = sum(not group.fixed for group in plan.groups)
        self._facts["quantized"] = (
            f"{len(plan.groups)} scales ({learned} free), {len(plan.parameters)} weights and biases"
        )
        if plan.float_ops:
            self._facts["left in float"] = ", ".join(plan.float_ops)
            self.context.progress.stage(f"qat: left in float: {self._facts['left in float']}")

    def _keep(self, engine: Any) -> None:
        zeros, clusters = self._keeps()
        weights = {operand.parameter: operand for operand in self._made()[1].operands["weight"].values()}
        now = engine.parameters_now()
        for name, operand in weights.items():
            kept = Preserved.of(now[name], operand.axis, zeros=zeros, clusters=clusters)
            if kept is not None:
                self._kept[name] = kept
        if zeros or clusters:
            self._facts["kept"] = f"zeros or equal weights of {len(self._kept)} of {len(weights)} weights"

    def _compared(self, engine: Any, quantized: bytes) -> str:
        plan = self._now(quantized)
        samples = whole_arrays(self.context.data.epoch(0), _COMPARED)
        with temporary_folder("qat") as folder:
            path = Path(folder) / "file.tflite"
            path.write_bytes(quantized)
            rows = self._agreement(engine, plan, path, samples)
            engine.agreement = rows
            if all(row.holds for row in rows):
                return "; ".join(map(str, rows))
            errors = self._blame(engine, plan, path, samples)
        words = "; ".join(map(str, rows))
        self.findings.append(Finding("fake-quant-disagrees", "warning", f"{words}: {listing(errors)}", self.name))
        self.context.progress.stage(f"qat: the file and its model disagree: {words}: {listing(errors)}")
        return f"{words}; most at {listing(errors)}"

    def _now(self, quantized: bytes) -> Plan:
        return replace(self._made()[1], template=parse_artifact(quantized))

    def _agreement(self, engine: Any, plan: Plan, path: Path, samples: Arrays) -> tuple[Agreement, ...]:
        predicted = self.context.framework.predict(engine, samples)
        outputs = engine.output_gates
        laid = {gate.name: _moved(predicted[gate.name], gate) for gate in outputs}
        return agreement(path, plan, outputs, laid, self._file_samples(engine, samples))

    def _blame(self, engine: Any, plan: Plan, path: Path, samples: Arrays) -> list[OpError]:
        return blame(path, plan, self._file_samples(engine, samples)[:_BLAMED], engine.alone)

    def _file_samples(self, engine: Any, samples: Arrays) -> Sequence[Arrays]:
        laid = {gate.name: _moved(samples[gate.name], gate) for gate in engine.input_gates}
        count = len(next(iter(laid.values())))
        return [{name: values[i : i + 1] for name, values in laid.items()} for i in range(count)]


def _moved(values: Array, gate: Gate) -> Array:
    return _transposed(values, gate.axes)


def _transposed(values: Array, axes: tuple[int, ...] | None) -> Array:
    return np.ascontiguousarray(np.transpose(values, axes)) if axes else values


def _predict(framework: Any, model: Any, arrays: Arrays, *, rounding: bool) -> Arrays:
    before = model.rounding
    model.rounding = rounding
    try:
        found: Arrays = framework.predict(model, arrays)
        return found
    finally:
        model.rounding = before


def refuse_batch(context: Context) -> None:
    """Training needs a file with a batch of 1.

    Raises:
        TrainingError: another batch was asked for.
    """
    if context.source_options.get("batch") not in (None, 1):
        raise TrainingError("quantization-aware training needs a batch of 1 in the file", hint="leave --batch out")

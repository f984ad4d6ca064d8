"""Distillation: a teacher's outputs, and layers inside if asked for, are part of the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.train.distilling.distil_losses import LOSSES, Losses
from edge_sdk.converters.train.features import Features, layers_by_name
from edge_sdk.converters.train.stage import Batch, Context, PlainStage, Stage
from edge_sdk.errors import TrainingError, nearest
from edge_sdk.findings import Finding
from edge_sdk.recipe.training import Distil


class Teaching:
    """A teacher and what it adds to a loss; the same for the stage itself and for those it goes on in.

    Args:
        context: of the distillation stage; its teacher is the source model where none was given.
    """

    def __init__(self, context: Context) -> None:
        if not isinstance(context.settings, Distil):
            raise TypeError(f"expected the settings of a distil stage, got {context.settings}")
        self.settings = context.settings
        self.context = context
        self.own = context.teacher is None
        self.framework: Any = context.framework if self.own else _opened(context)
        self.model: Any = self.framework.model
        self._losses: Losses = LOSSES[context.framework.name]
        self._probabilities = False

    def check(self) -> None:
        """The teacher against the student, on one batch.

        Raises:
            TrainingError: other inputs, other outputs, or outputs that hold no classes.
        """
        student, batch = self.context.framework, next(self.context.data.epoch(0))
        inputs = {name: values[:8] for name, values in batch.inputs.items()}
        given = student.predict(student.model, inputs)
        taught = self.framework.predict(self.model, self._renamed(inputs))
        if [v.shape for v in taught.values()] != [v.shape for v in given.values()]:
            shapes = [{name: list(v.shape[1:]) for name, v in side.items()} for side in (given, taught)]
            raise TrainingError(f"distil: the student gives {shapes[0]}, the teacher {shapes[1]}")
        if self.settings.outputs == "values":
            return
        axis = student.class_axis
        for name, values in taught.items():
            if values.shape[axis] < 2:
                raise TrainingError(
                    f"distil: output `{name}` has one value, which is no distribution over classes",
                    hint='set outputs = "values" under [train.distil]',
                )
        kinds = {_holds_probabilities(v, axis) for side in (given, taught) for v in side.values()}
        if len(kinds) > 1:
            raise TrainingError(
                "distil: one of student and teacher gives probabilities, the other logits",
                hint="take the softmax away from the one, or add it to the other",
            )
        self._probabilities = kinds.pop()

    def teach(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The teacher's outputs on a batch of tensors, without a gradient."""
        with self._losses.without_gradient(self.model):
            outputs: dict[str, Any] = self.framework.call(self.model, self._renamed(inputs), training=False)
        return outputs

    def loss(self, loss: Any, outputs: Mapping[str, Any], taught: Mapping[str, Any]) -> Any:
        """``(1 - weight) loss + weight teacher's``; without targets the teacher's alone.

        The teacher's part is temperature squared times the KL divergence of softened outputs (Hinton et al., 2015),
        or the mean squared difference for values; summed over outputs.
        """
        weight = 1.0 if loss is None else self.settings.weight
        pairs = zip(outputs.values(), taught.values(), strict=True)
        parts = [self._part(one, other) for one, other in pairs]
        return (0 if loss is None else (1 - weight) * loss) + weight * sum(parts)

    def _part(self, one: Any, other: Any) -> Any:
        if self.settings.outputs == "values":
            return self._losses.squared(one, other)
        axis = self.context.framework.class_axis
        return self._losses.classes(one, other, self.settings.temperature, axis, probabilities=self._probabilities)

    def _renamed(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """By name where the names agree, else by place."""
        names = [spec.name for spec in self.framework.inputs]
        if set(names) == set(inputs):
            return {name: inputs[name] for name in names}
        if len(names) != len(inputs):
            raise TrainingError(
                f"distil: the teacher takes {len(names)} inputs ({', '.join(names)}), the student {len(inputs)}"
            )
        return dict(zip(names, inputs.values(), strict=True))


class DistilStage(PlainStage):
    """Trains the student, a copy of the source model, on what the teacher says as well as on the targets."""

    name = "distil"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.teaching = Teaching(context)
        self._features: Features | None = None

    def check(self, model: Any) -> list[Finding]:
        """The teacher and the layers that are to be compared.

        Raises:
            TrainingError: they do not fit.
        """
        settings = self.teaching.settings
        trains = settings.epochs != 0
        if trains and self.teaching.own:
            raise TrainingError(
                "distil: there is no teacher",
                hint="give one (--teacher), or epochs = 0 and `during` under [train.distil]: the source then teaches "
                "what later stages make of it",
            )
        self.teaching.check()
        for place, (owner, side) in enumerate(((model, "student"), (self.teaching.model, "teacher"))):
            known = layers_by_name(owner)
            for name in [pair[place] for pair in settings.features]:
                if name not in known:
                    raise TrainingError(
                        f"distil: the {side} has no layer `{name}`{nearest(name, known)}",
                        hint=f"it has {', '.join(list(known)[:20])}",
                    )
        return []

    def prepare(self, model: Any) -> Any:
        """A copy, with ears on the layers that are compared."""
        if self.teaching.settings.epochs == 0:
            return model
        student = self.context.framework.copy(model)
        self.teaching.check()
        if self.teaching.settings.features:
            self._features = Features(student, self.teaching.model, self.teaching.settings.features)
        return student

    def loss(self, loss: Any, batch: Batch, outputs: Mapping[str, Any]) -> Any:
        """Targets, teacher's outputs, and teacher's layers."""
        taught = self.teaching.teach(batch.inputs)
        total = self.teaching.loss(loss, outputs, taught)
        if self._features is None:
            return total
        losses = LOSSES[self.context.framework.name]
        parts = [losses.features(one, other) for one, other in self._features.heard()]
        return total + self.teaching.settings.feature_weight * sum(parts)

    def finish(self, model: Any) -> Any:
        """Without the ears."""
        if self._features:
            self._features.close()
        return model

    def facts(self) -> dict[str, Any]:
        """Who taught, how much and in which stages."""
        settings = self.teaching.settings
        facts: dict[str, Any] = {"teacher": "the source model" if self.teaching.own else _described(self.context)}
        facts |= {"weight": settings.weight, "temperature": settings.temperature, "during": list(settings.during)}
        return facts if settings.outputs == "classes" else {**facts, "temperature": None}


class Taught:
    """A later stage with a teacher: the stage itself, but for its loss.

    Args:
        stage: see :class:`~edge_sdk.converters.train.stage.Stage`.
        teaching: of the distillation stage.
    """

    def __init__(self, stage: Stage, teaching: Teaching) -> None:
        self._stage = stage
        self._teaching = teaching

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage, name)

    def loss(self, loss: Any, batch: Batch, outputs: Mapping[str, Any]) -> Any:
        """The stage's loss with the teacher's part."""
        taught = self._teaching.teach(batch.inputs)
        return self._teaching.loss(self._stage.loss(loss, batch, outputs), outputs, taught)


def _opened(context: Context) -> Any:
    from edge_sdk.converters.train.frameworks import open_framework

    options = {key: value for key, value in context.source_options.items() if key in ("trust_source", "folder")}
    framework = open_framework(context.teacher, SourceOptions(trust=bool(options.get("trust_source"))))
    if framework.name != context.framework.name:
        raise TrainingError(
            f"distil: the teacher is a {framework.name} model, the student a {context.framework.name} one",
            hint="teacher and student must be of one framework",
        )
    return framework


def _described(context: Context) -> str:
    teacher = context.teacher
    return teacher if isinstance(teacher, str) else f"a {type(teacher).__name__}"


def _holds_probabilities(values: Any, axis: int) -> bool:
    return bool(values.min() >= 0 and np.allclose(values.sum(axis=axis), 1, atol=1e-3))

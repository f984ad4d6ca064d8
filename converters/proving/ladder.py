"""Lowering to float32 by a short ladder of settings: the first candidate that computes what the source does wins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import Artifact, own_artifact
from edge_sdk.converters.layout import Port
from edge_sdk.converters.lower.idle_padding import without_idle_padding
from edge_sdk.converters.proving.finish import finish
from edge_sdk.converters.proving.float_model import FloatModel
from edge_sdk.converters.proving.proof import Proof
from edge_sdk.converters.reports.conversion import Attempt
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.errors import ConversionError, EdgeSdkError, ModelError, ParityError, UnsupportedOpError
from edge_sdk.files import own_content, write_own
from edge_sdk.parity.compare import ParityMeter

Note = Callable[[Sequence[Port], Sequence[Port]], Mapping[str, Any]]
_NAMED = 3


class Ladder:
    """Tries rungs until one passes.

    Args:
        shop: workers and folder.
        source: the open source.
        proof: compares candidates with it.
        prepare: called once with the first candidate, before anything is compared.
        note: what a candidate's file says of its making, from its ports; nothing if none is given.
    """

    def __init__(
        self,
        shop: Workshop,
        source: OpenSource,
        proof: Proof,
        prepare: Callable[[Artifact], None],
        note: Note = lambda inputs, outputs: {},
    ) -> None:
        self._shop = shop
        self._source = source
        self._proof = proof
        self._prepare = prepare
        self._note = note

    def climb(self, rungs: Sequence[Mapping[str, Any]], *, keep_unverified: bool) -> FloatModel:
        """The first model within the float32 bound.

        Args:
            rungs: names and settings, best first.
            keep_unverified: rather than fail, return the candidate with the smallest error.

        Raises:
            ParityError: candidates were made, and none passed.
            EdgeSdkError: no candidate could be made; the first rung's error.
        """
        attempts: list[Attempt] = []
        errors: list[EdgeSdkError] = []
        rejected: list[FloatModel] = []
        for number, rung in enumerate(rungs):
            begin = time.perf_counter()
            try:
                model = self._lower(rung, self._shop.path(f"rung_{number}"))
            except (ConversionError, ModelError) as error:
                if _is_about_the_source(error):
                    raise
                errors.append(error)
                attempts.append(Attempt(rung["name"], str(error), time.perf_counter() - begin))
                continue
            reason = "parity holds" if model.verified else self._proof.worst(model.parity)
            seconds = time.perf_counter() - begin
            attempts.append(Attempt(rung["name"], reason, seconds, model.tool, accepted=model.verified))
            if model.verified:
                return replace(model, attempts=tuple(attempts))
            rejected.append(model)
        if not rejected:
            raise errors[0]
        best = max(rejected, key=lambda model: min(row.sqnr_db for row in model.parity))
        if not keep_unverified:
            raise _none_passed(attempts, best, self._proof)
        return replace(best, attempts=tuple(attempts))

    def _lower(self, rung: Mapping[str, Any], folder: Path) -> FloatModel:
        handed = self._source.hand_over(folder, rung["settings"])
        role = self._source.role
        if handed["kind"] == "onnx":
            role, handed = "lowering", self._lower_onnx(handed, folder)
        elif handed["kind"] == "source":
            role, handed = self._lower_source(handed, folder)
        elif self._source.front_end == "tflite":
            role = "lowering"
        role = handed.get("role", role)
        _finish_quantized(handed)
        return self._checked(handed, folder, role)

    def _lower_onnx(self, handed: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        worker = self._shop.worker("lowering")
        arguments = {key: value for key, value in handed.items() if key != "kind"}
        lowered: dict[str, Any] = worker.function(
            "edge_sdk.converters.lower.by_onnx2tf:lower", "lowering the ONNX graph", folder=str(folder), **arguments
        )
        return lowered

    def _lower_source(self, handed: Mapping[str, Any], folder: Path) -> tuple[str, dict[str, Any]]:
        """An object of this process was saved as a file of another kind, whose own front end takes it on."""
        options = SourceOptions(shapes=handed.get("shapes", {}))
        inner = OpenSource(self._shop, handed["path"], options, role="lowering")
        lowered = inner.hand_over(folder, handed.get("settings", {}))
        for made in (lowered, lowered.get("quantized_ports", {})):
            for end, ports in ((end, made[end]) for end in ("inputs", "outputs") if end in made):
                for port in ports:
                    port["name"] = handed[end][port["name"]]
                ports.sort(key=lambda port: list(handed[end].values()).index(port["name"]))
        return inner.role, lowered

    def _checked(self, handed: Mapping[str, Any], folder: Path, role: str) -> FloatModel:
        inputs = tuple(_port(port) for port in handed["inputs"])
        outputs = tuple(_port(port) for port in handed["outputs"])
        path = folder / "float32.tflite"
        # In the finished file the place in the list says which tensor a port is.
        note = self._note(_by_place(inputs), _by_place(outputs))
        write_own(path, finish(without_idle_padding(own_content(Path(handed["path"]))), inputs, outputs, note))
        artifact = own_artifact(path)
        if not self._proof.begun:
            self._prepare(artifact)
        model = FloatModel(path, artifact, _by_place(inputs), _by_place(outputs), handed["tool"], role)
        meter = self._measure(model)
        rows = self._proof.float_rows(artifact, meter)
        ready = Path(handed["quantized"]) if "quantized" in handed else None
        return replace(
            model,
            parity=rows,
            verified=all(row.ok for row in rows),
            quantized=ready,
            quantized_for=handed.get("quantized_for", ""),
        )

    def _measure(self, model: FloatModel) -> ParityMeter:
        try:
            axes = model.input_axes, model.output_axes
            return self._proof.measure(model.path, *axes, artifact=model.artifact)
        except ModelError as error:
            if self._source.front_end == "tflite":
                raise
            # What an engine refuses is the lowering's fault, not the source's: the next rung may do better.
            raise ConversionError(str(error), tool=model.tool, hint=error.hint) from error


def _finish_quantized(handed: Mapping[str, Any]) -> None:
    """Gives an integer file that came along the source's names, in the source's order."""
    if (ports := handed.get("quantized_ports")) is None:
        return
    path = Path(handed["quantized"])
    inputs, outputs = ([_port(port) for port in ports[end]] for end in ("inputs", "outputs"))
    path.write_bytes(finish(path.read_bytes(), inputs, outputs, {}))


def _port(data: Mapping[str, Any]) -> Port:
    return Port(data["name"], tuple(data["axes"]) if data["axes"] else None, data["tensor"])


def _by_place(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    return tuple(replace(port, tensor=None) for port in ports)


def _is_about_the_source(error: EdgeSdkError) -> bool:
    """Errors that no other setting can cure."""
    if isinstance(error, UnsupportedOpError):
        return error.final
    return isinstance(error, ModelError)


def _none_passed(attempts: Sequence[Attempt], best: FloatModel, proof: Proof) -> ParityError:
    listing = "; ".join(f"{a.name}: {a.reason}" for a in attempts)
    at_fault = proof.op_faults(best.path, best.input_axes)
    engine = f"; {'; '.join(at_fault[:_NAMED])}" if at_fault else ""
    odd = [f"{row.not_finite} in `{row.name}`" for row in best.parity if row.not_finite]
    source = f"; values of the source itself are NaN or infinite: {', '.join(odd)}" if odd else ""
    blind = [f"`{row.name}`" for row in best.parity if not row.ok and row.bound and not row.bound.telling]
    source += f"; rounding alone moves the source's own {', '.join(blind)} so far on these samples" if blind else ""
    advice = "compare on samples that the model understands, with --data; " if odd or blind else ""
    return ParityError(
        f"no lowering computes what the source computes ({proof.worst(best.parity)}){source}{engine}",
        report={
            "attempts": [attempt.as_json() for attempt in attempts],
            "parity": [row.as_json() for row in best.parity],
        },
        hint=f"{advice}tried {listing}"[:600],
    )

"""What a session holds open: for each variant its replicas, their ports, and how it was opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sdk.engines.installed import Engine
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import SignatureError
from edge_sdk.runtime.loaded import Loaded
from edge_sdk.runtime.opening import open_model
from edge_sdk.runtime.options import Options
from edge_sdk.runtime.package import Package
from edge_sdk.runtime.policy import Policy
from edge_sdk.runtime.ports import Ports, ports_of
from edge_sdk.runtime.receipt import Opening
from edge_sdk.runtime.wish import Wish

Opened = tuple[list[Loaded], tuple[Ports, ...], Opening, ModelSource]


def wish_of(
    subject: Callable[..., Any], listed: tuple[Any, ...], policy: Policy, engine: Engine, wanted: Options
) -> Wish:
    """What is to be opened, of one variant."""
    return Wish(
        subject=subject,
        candidates=listed,
        policy=policy,
        engine=engine,
        threads=wanted.thread_count,
        replicas=wanted.replicas,
        cache_dir=Path(wanted.cache_dir) if wanted.cache_dir else None,
        keep_state=wanted.keep_state,
        budget=wanted.budget,
        try_first=wanted.try_first,
    )


def open_wish(wish: Wish, wanted: Options) -> Opened:
    """Opens it; errors as :func:`~edge_sdk.runtime.opening.open_model`."""
    loaded, subject, opening = open_model(wish)
    try:
        signature = subject.model.artifact.signature
        ports = tuple(ports_of(one.executor, signature, values=wanted.values, nan=wanted.nan) for one in loaded)
    except BaseException:
        for one in loaded:
            one.close()
        raise
    return loaded, ports, opening, subject.model


def same_ports(opened: list[Opened]) -> None:
    """Variants that take turns must look the same from outside."""
    (_, (first, *_), wanted, _), (_, (last, *_), latest, _) = opened[0], opened[-1]
    if (first.input_specs, first.output_specs) != (last.input_specs, last.output_specs):
        raise SignatureError(
            f"variants {wanted.variant} and {latest.variant} take or give other values, so that they cannot take turns",
            hint="name variants with the same inputs and outputs",
        )


def close_all(opened: list[Opened], package: Package) -> None:
    """Frees all of it."""
    for loaded, *_ in opened:
        for one in loaded:
            one.close()
    package.close()

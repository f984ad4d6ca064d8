"""Vela's answer as text: cycles, time and memory, each said to be Vela's estimate."""

from __future__ import annotations

from edge_sdk.checks.delegates.ethos_u.vela_answer import VelaAnswer
from edge_sdk.report.lines import field, size_text, table

_MOST = 12


def vela_lines(answer: VelaAnswer) -> list[str]:
    """Where the ops go, and what Vela estimates of it."""
    count = {target: sum(op.target == target for op in answer.ops) for target in ("npu", "cpu", "absorbed")}
    total = max(len(answer.ops), 1)
    placed = (
        f"{count['npu']} of {len(answer.ops)} ops on the NPU ({count['npu'] / total:.0%}), {count['cpu']} on the CPU "
    )
    placed += f"({count['cpu'] / total:.0%}), {count['absorbed']} absorbed by others"
    clock = f"{answer.system_config} at {answer.clock_mhz:.0f} MHz, {answer.memory_mode}"
    cost = f"{answer.inference_ms:.3f} ms without the CPU's ops, {answer.total_cycles:,} cycles ({answer.npu_cycles:,} "
    return [
        field("vela", f"{answer.version} for {answer.accelerator}: {placed}"),
        field("", f"predicted by Vela for its system {clock}; not this board's, not measured:"),
        field("", f"{cost}computing), {_memory(answer)}"),
        *_ops(answer),
    ]


def _memory(answer: VelaAnswer) -> str:
    kinds = {
        "SRAM": answer.sram_bytes,
        "DRAM": answer.dram_bytes,
        "on-chip flash": answer.on_chip_flash_bytes,
        "off-chip flash": answer.off_chip_flash_bytes,
    }
    return ", ".join(f"{size_text(size)} {kind}" for kind, size in kinds.items() if size) or "no memory of its own"


def _ops(answer: VelaAnswer) -> list[str]:
    """The ops that take longest on the NPU."""
    slowest = sorted((op for op in answer.ops if op.cycles), key=lambda op: -(op.cycles or 0))[:_MOST]
    total = max(sum(op.cycles or 0 for op in answer.ops), 1)
    rows = [(f"{op.index} {op.name}", f"{op.cycles:,}", f"{(op.cycles or 0) / total:.0%}") for op in slowest]
    return table(("slowest ops on the NPU", "cycles", "share"), rows, indent=" " * 14) if rows else []

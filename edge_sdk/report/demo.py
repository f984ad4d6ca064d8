"""The demo's tables, and what to try next."""

from __future__ import annotations

from pathlib import Path

from edge_sdk.converters.demo import DemoRow
from edge_sdk.report.lines import size_text, table

HEADERS = ("recipe", "test accuracy", "file", "time to float", "SQNR dB", "top-1")


def demo_table(rows: list[DemoRow]) -> str:
    """One model's rows."""
    head = f"{rows[0].model}: {rows[0].report.framework}, test accuracy {rows[0].source_accuracy:.2%} in the source"
    return "\n".join([head, *table(HEADERS, (_cells(row) for row in rows))])


def next_steps(folder: Path) -> str:
    """The files written, and what to try with them."""
    files = "\n".join(f"  {path}" for path in sorted(folder.iterdir()) if path.is_file())
    int8 = "digits_keras_static_wi8_ai8.tflite"
    return f"""files written:
{files}

try next:
  cd {folder}
  edge-sdk inspect {int8}
  edge-sdk compare digits_keras.keras {int8} --data digits_keras_test.npz
  edge-sdk convert digits_torch.pt2 -o integer_only.tflite -r int8_only --calibration digits_torch_calibration.npz
  edge-sdk run digits_torch_float16.tflite --input digits_keras_test.npz -o scores.npz"""


def _cells(row: DemoRow) -> tuple[str, ...]:
    report, parity = row.report, row.report.parity[0]
    ratio = f"{report.timings[1].ratio:.2f}" if report.timings else "1"
    top1 = "-" if parity.top1_agreement is None else f"{parity.top1_agreement:.1%}"
    size = size_text(report.artifact.size_bytes)
    return (report.recipe, f"{row.accuracy:.2%}", size, ratio, f"{parity.sqnr_db:.1f}", top1)

"""What all text reports are made of: tables and labelled lines. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_LABEL_WIDTH = 12


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """Lines of a table: the first column left-aligned, the others right-aligned."""
    body = [list(row) for row in rows]
    widths = [max(len(line[i]) for line in [list(headers), *body]) for i in range(len(headers))]
    lines = []
    for line in [list(headers), *body]:
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def field(label: str, text: str) -> str:
    """One ``label  text`` line."""
    return f"  {label.ljust(_LABEL_WIDTH)}{text}"


def size_text(size_bytes: int) -> str:
    """Bytes with a readable unit: 1 KiB = 1024 bytes."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    if size_bytes < 1 << 20:
        return f"{size_bytes / 1024:.1f} KiB"
    return f"{size_bytes / (1 << 20):.2f} MiB"

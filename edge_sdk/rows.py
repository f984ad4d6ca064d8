"""How results look in Python: one line, a table in a notebook, rows for pandas."""

from __future__ import annotations

from html import escape
from typing import Any


class Tabular:
    """A result with a headline and rows; a dataclass of it says ``repr=False``."""

    def headline(self) -> str:
        """The verdict in one line."""
        raise NotImplementedError

    def rows(self) -> list[dict[str, Any]]:
        """Plain values by column, as ``pandas.DataFrame(result.rows())`` takes them."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline()}>"

    def _repr_html_(self) -> str:
        """For notebooks: the headline, and the rows as a table."""
        return f"<p><b>{escape(self.headline())}</b></p>{_table(self.rows())}"


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_told(row.get(name)))}</td>" for name in names) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""


def _told(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

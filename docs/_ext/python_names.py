"""The Python names: which there are comes from ``edge_sdk.__all__``, their text from their docstrings (autodoc)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from escaping import escaped

import edge_sdk
from edge_sdk.converters.options.described import descriptions

_HEAD = """# Python

Written from the docstrings. `import edge_sdk` loads nothing heavy; names are loaded on first use. A value is frozen, a
function returns a new one; what goes wrong on purpose is an `EdgeSdkError` with a `hint`.
"""


def page() -> str:
    """Every public name, the keyword options of conversions, and the tree of errors."""
    return "\n".join([_HEAD, *_names(), *_options(), *_errors()])


def _names() -> Iterator[str]:
    for name in sorted(edge_sdk.__all__):
        if name.startswith("__") or name == "Options":
            continue
        found = getattr(edge_sdk, name)
        yield _auto(name, "class" if inspect.isclass(found) else "function", f"edge_sdk.{name}")


def _options() -> Iterator[str]:
    yield "## Options of conversions\n\nKeyword arguments of `convert`, `convert_all` and `convert_bundle`.\n"
    for name, (kind, text) in descriptions(edge_sdk.Options).items():
        yield f"`{name}: {kind}`\n: {escaped(text)}\n"


def _errors() -> Iterator[str]:
    from edge_sdk import errors

    yield "## Errors\n\n```text\n" + (inspect.getdoc(errors) or "").strip() + "\n```\n"


def _auto(title: str, kind: str, name: str) -> str:
    members = "\n   :members:" if kind == "class" else ""
    return f"## {title}\n\n```{{eval-rst}}\n.. auto{kind}:: {name}{members}\n```\n"

"""Samples of which the file says another class than its source, as pictures where they are pictures."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from edge_sdk.report.html.markup import Data, paragraph, plural, table, text

_PNG = b"\x89PNG\r\n\x1a\n"


def flips(details: Data, labels: Sequence[str] = ()) -> str:
    """The gravest first; says how many there are.

    Args:
        details: of a conversion or comparison.
        labels: names of classes, where they are known.
    """
    listed, total = details["flips"], details["flipped"]
    if not total:
        return ""
    drawn = [flip for flip in listed if _is_png(flip["picture"])]
    words = f"{plural(total, 'sample')} moved to another class"
    words += f"; the {len(listed)} that the source was surest of:" if total > len(listed) else ":"
    if not drawn:
        rows = [
            (
                f"sample {f['sample']}",
                f["output"],
                _name(f["reference"], labels),
                _name(f["candidate"], labels),
                f"{f['lost']:.4g}",
            )
            for f in listed
        ]
        return paragraph(words) + table(
            ("sample", "output", "source says", "file says", "lead lost"), rows, words=(0, 1, 2, 3)
        )
    made = "".join(_figure(flip, labels) for flip in drawn)
    note = "Values as the model gets them, drawn from their least to their largest."
    return f'{paragraph(words)}<div class="pictures">{made}</div>{paragraph(note, "soft")}'


def _figure(flip: Data, labels: Sequence[str]) -> str:
    want, got = _name(flip["reference"], labels), _name(flip["candidate"], labels)
    sample = f"sample {flip['sample']}"
    caption = f"<b>{text(want)}</b> became <b>{text(got)}</b><br><small>{sample}, lead {flip['lost']:.3g}</small>"
    image = f'<img alt="{sample}" src="data:image/png;base64,{flip["picture"]}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _name(index: int, labels: Sequence[str]) -> str:
    return labels[index] if 0 <= index < len(labels) else f"class {index}"


def _is_png(picture: object) -> bool:
    """Only what is a picture goes into the page: a JSON file may come from anywhere."""
    if not isinstance(picture, str):
        return False
    try:
        return base64.b64decode(picture, validate=True).startswith(_PNG)
    except (binascii.Error, ValueError):
        return False

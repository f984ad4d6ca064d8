"""Why some of ONNX's ops have no form in TFLite; those whose reason depends on the node stand with their family."""

from __future__ import annotations

from collections.abc import Mapping

_TEXT = "it works on text, for which TFLite has no kernels"
_IMAGE_FILE = "it decodes an image file, which is work for the app"

REASONS: Mapping[str, str] = {
    **dict.fromkeys(("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"), _TEXT),
    "ImageDecoder": _IMAGE_FILE,
}
"""ONNX's name of an op to the reason; an op in neither this table nor :data:`OPS` may be defined by other ops."""

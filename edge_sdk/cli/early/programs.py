"""Inputs of a ``torch.export`` archive: a ZIP whose ``models/NAME.json`` describes the graph.

Keys as in torch's ``_export/serde/schema.py``, versions 5 to 8 of it (PyTorch 2.3 to 2.13).
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sdk.signature import TensorSpec

# Before PyTorch 2.8 the graph lay at the top of the archive.
_GRAPH = re.compile(r"^[^/]+/models/[^/]+\.json$|^serialized_exported_program\.json$")
# A graph of 10,000 ops has some 20 MB of JSON: half a second.
_MOST_BYTES = 64 << 20
_DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 7: "float32", 8: "float64", 12: "bool"}
"""``ScalarType`` of that schema, as far as inputs have them here."""
_CHANNELS = (1, 3, 4)


def inputs(source: Path) -> tuple[tuple[TensorSpec, ...], bool] | None:
    """The inputs, and whether they are all under the names of ``forward``'s parameters; None where they cannot be read.

    Args:
        source: a ``.pt2`` file.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            found = [one for one in archive.infolist() if _GRAPH.match(one.filename)]
            if len(found) != 1 or found[0].file_size > _MOST_BYTES:
                return None
            program = json.loads(archive.read(found[0]))
        return _inputs(program["graph_module"])
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError, EOFError):
        return None  # another version's, or damaged: torch itself says how


def _inputs(module: Mapping[str, Any]) -> tuple[tuple[TensorSpec, ...], bool]:
    given = [one["user_input"]["arg"] for one in module["signature"]["input_specs"] if "user_input" in one]
    names = [arg["as_tensor"]["name"] for arg in given if "as_tensor" in arg]
    values = module["graph"]["tensor_values"]
    specs = tuple(_spec(name, values[name]) for name in names if values[name]["dtype"] in _DTYPES)
    called = next((one["signature"] for one in module["module_call_graph"] if one["fqn"] == ""), None)
    forward = (called or {}).get("forward_arg_names")
    # Of nested arguments, and of those that are no tensors, only torch knows the names.
    return specs, [spec.name for spec in specs] == forward and len(given) == len(specs)


def _spec(name: str, meta: Mapping[str, Any]) -> TensorSpec:
    shape = tuple(size.get("as_int") for size in meta["sizes"])
    dtype = _DTYPES[meta["dtype"]]
    image = len(shape) == 4 and shape[1] in _CHANNELS and dtype.startswith("float")
    return TensorSpec(name, shape, dtype, "NCHW" if image else None)

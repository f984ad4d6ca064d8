"""``make_executorch.py FOLDER``: its program.pt2 to a static int8 .pte for XNNPACK, as its documentation has it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

folder = Path(sys.argv[1])
module = torch.export.load(folder / "program.pt2").module()
with np.load(folder / "calibration.npz") as arrays:
    samples = [torch.from_numpy(arrays[name]) for name in arrays.files]
quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
prepared = prepare_pt2e(module, quantizer)
for i in range(len(samples[0])):
    prepared(*(values[i : i + 1] for values in samples))
example = tuple(values[:1] for values in samples)
program = to_edge_transform_and_lower(
    torch.export.export(convert_pt2e(prepared), example), partitioner=[XnnpackPartitioner()]
)
(folder / "executorch_int8.pte").write_bytes(program.to_executorch().buffer)

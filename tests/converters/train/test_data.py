"""Training data as arrays: rows of batches, however a sample's own batch axis is given."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.converters.train.data import ArrayBatches, open_training_data
from edge_sdk.errors import EdgeSdkError
from edge_sdk.signature import TensorSpec

_SPEC = TensorSpec("x", (1, 3, 4), "float32")


@pytest.mark.parametrize("shape", [(6, 3, 4), (6, 1, 3, 4)])
def test_a_sample_may_have_the_batch_of_1(shape: tuple[int, ...]) -> None:
    values = np.arange(72, dtype=np.float32).reshape(shape)
    opened = open_training_data({"x": values, "y": np.arange(6)}, [_SPEC], ["out"], batch_size=2, seed=0)
    assert isinstance(opened, ArrayBatches)
    assert opened.inputs["x"].tolist() == values.reshape(6, 3, 4).tolist()


def test_another_shape_is_refused() -> None:
    data = {"x": np.zeros((6, 2, 3, 4), np.float32), "y": np.arange(6)}
    with pytest.raises(EdgeSdkError, match=r"`x`"):
        open_training_data(data, [_SPEC], ["out"], batch_size=2, seed=0)

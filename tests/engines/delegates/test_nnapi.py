"""NNAPI says where it is to be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.errors import DelegateUnavailableError
from edge_sdk.runtime import Session

pytestmark = pytest.mark.runtime


def test_is_refused_with_the_place_where_it_is(models: Path) -> None:
    with pytest.raises(DelegateUnavailableError, match=r"Android apps in Java or C only, .* Python on Linux") as caught:
        Session.open(models / "int8.tflite", delegate="nnapi")
    assert "deprecated since Android 15" in str(caught.value.hint)

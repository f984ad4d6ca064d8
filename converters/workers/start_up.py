"""What frameworks print whenever they start: it says nothing of what went wrong later.

A line is known by the file that logs it and by its words; any other line of the same file is kept.
"""

from __future__ import annotations

import re

# As TensorFlow's and absl's logs begin: a time, a thread, the file and its line.
_LOGGED = r"^(\d{4}-\d\d-\d\d [\d:.]+: )?([IWEF](\d{4} [\d:.]+ +\d+)?) "
_SAID = (
    r"\S*/port\.cc:\d+\] oneDNN custom operations are on",
    r"\S*/cudart_stub\.cc:\d+\] Could not find cuda drivers",
    r"\S*cuda_(fft|dnn|blas)\.cc:\d+\] Unable to register cu(FFT|DNN|BLAS) factory",
    r"\S*computation_placer\.cc:\d+\] computation placer already registered",
    r"\S*/cpu_feature_guard\.cc:\d+\] This TensorFlow binary is optimized",
    r"\S*cuda_\w+\.cc:\d+\] failed call to cuInit",
    r"\S*gpu_device\.cc:\d+\] Cannot dlopen some GPU libraries",
)
_PLAIN = (
    r"^WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR",
    r"^To enable the following instructions: .* rebuild TensorFlow with the appropriate compiler flags",
    r"^INFO: Created TensorFlow Lite XNNPACK delegate for CPU",
)
_START_UP = re.compile("|".join((rf"{_LOGGED}({'|'.join(_SAID)})", *_PLAIN)))


def is_start_up(line: str) -> bool:
    """Whether a line of a log is one that a framework prints whenever it starts."""
    return _START_UP.search(line) is not None

"""Instructions that this CPU has, for libraries that end the process where one is missing."""

from __future__ import annotations

import ctypes
import platform
import sys

# linux/auxvec.h, and arch/arm64/include/uapi/asm/hwcap.h.
_AT_HWCAP = 16
_HWCAP_ATOMICS = 1 << 8


def has_atomics() -> bool:
    """Whether an arm64 CPU has the atomic instructions of Armv8.1 (LSE); true of other architectures and of Apple's.

    The kernel's own word is asked for, not ``/proc/cpuinfo``, which an emulator may show of its host.
    """
    if platform.machine().lower() not in ("aarch64", "arm64"):
        return True
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except (OSError, AttributeError):
        # Apple's first arm64 Mac has them; elsewhere there is nobody to ask.
        return sys.platform == "darwin"
    getauxval.restype, getauxval.argtypes = ctypes.c_ulong, (ctypes.c_ulong,)
    return bool(getauxval(_AT_HWCAP) & _HWCAP_ATOMICS)

"""Where a thing runs: this machine, a board over ssh, an Android device over adb. One interface for all.

>>> with open_device("ssh://pi@raspberrypi.local") as device:
...     print(device.identify().model, device.space().storage_bytes)
"""

from __future__ import annotations

from edge_sdk.devices.device import Device, open_device
from edge_sdk.devices.identity import Identity, Space
from edge_sdk.devices.link import Finished, Link

__all__ = ["Device", "Finished", "Identity", "Link", "Space", "open_device"]

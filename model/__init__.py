"""Golden model of the KV-cache memory device (device.md): no simulator, NumPy only.

`DeviceState` is the device transaction by transaction; `DeviceModel` is the same behind MMIO.
"""

from model.device import DeviceModel
from model.directory import DeviceState
from model.errors import PortNotReady, Slverr
from model.types import Mismatch

__all__ = ["DeviceModel", "DeviceState", "Mismatch", "PortNotReady", "Slverr"]

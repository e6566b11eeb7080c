"""Golden model of the KV-cache memory device (device.md): no simulator, NumPy only."""

from model.directory import DeviceState
from model.types import Mismatch

__all__ = ["DeviceState", "Mismatch"]

"""KV-CPU as a library: the device model, the driver and the software on them.

    import kvcpu
    device = kvcpu.DeviceModel(entries=1024, lanes=4)
    driver = kvcpu.Sync(kvcpu.run(kvcpu.Driver.probe(kvcpu.ModelTransport(device))))

In an installation the source folders are subpackages (`kvcpu.model`, `kvcpu.sw`). RTL, testbench and FPGA flow need a
checkout: they are built there by `make`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

_PUBLIC = {
    "DeviceModel": "kvcpu.model.device",
    "Driver": "kvcpu.sw.driver",
    "KvAddress": "kvcpu.sw.regs.kv_address",
    "ModelTransport": "kvcpu.sw.transport.model",
    "Sync": "kvcpu.sw.run",
    "run": "kvcpu.sw.run",
}
__all__ = ["DeviceModel", "Driver", "KvAddress", "ModelTransport", "Sync", "__version__", "run"]
__version__ = version("kvcpu")


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for. Raises AttributeError for any other."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'kvcpu' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)

"""The device model with the sizes of the device under test."""

from model.device import DeviceModel
from tb.harness.base_test import Context


def same_model(ctx: Context) -> DeviceModel:
    """A device model of the sizes that the test's parameters name."""
    p = ctx.parameters
    return DeviceModel(
        entries=p["ENTRIES"],
        lanes=p["LANES"],
        ports=p["PORTS"],
        block_tokens=p["BLOCK_TOKENS"],
        axi_data_width=p["AXI_DATA_WIDTH"],
    )

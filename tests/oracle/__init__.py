"""A second reading of the device contract: slow, plain, and written without looking at the model or the RTL.

One module for each chapter of the contract (docs/device.md). The modules here up to `oracle.py` import nothing of
`model`, `rtl` or `sw` except the generated offsets and field positions of `sw.regs.registers`; a test asserts that.
`stream.py` makes random command streams, `compare.py` runs one on the oracle and on a device side by side.

The oracle is untimed: a command, a scan and a move are one step each. Where the contract leaves a choice to the
device (which slot, which place in the directory, the order between the two DMA channels) the oracle takes what the
device did and checks that the contract allows it.
"""

"""Generator of everything that is derived from `rtl/regs/kvcpu.rdl`."""

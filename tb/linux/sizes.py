"""The device of the guest: the smallest one."""

ENTRIES, LANES, PORTS = 1024, 4, 3

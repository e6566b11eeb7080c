"""Checks of everything the device does against the golden model, in the order in which the device committed it."""

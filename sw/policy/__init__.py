"""Policies of the runtime: what it tells the device of its blocks, and when; on any device of `PolicyDevice`."""

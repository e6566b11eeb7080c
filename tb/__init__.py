"""Testbench of the KV-cache memory device: the only package that knows model, driver and simulator."""

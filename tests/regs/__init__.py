"""Tests of sw/regs."""

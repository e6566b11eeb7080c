"""Tests of sw/driver."""

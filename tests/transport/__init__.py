"""Tests of sw/transport."""

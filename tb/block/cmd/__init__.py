"""Tests of the command queue and the range walker."""

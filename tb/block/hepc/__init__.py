"""Tests of HEPC: the scoring lane, the histogram and the scan control."""

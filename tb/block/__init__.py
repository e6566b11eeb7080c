"""Tests of single blocks of the device."""

"""Tests of the move queues."""

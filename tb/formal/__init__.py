"""Formal proofs of the RTL: `make formal` (docs/formal.md)."""

"""Planted defects: each breaks one sentence of the contract, and the named test must detect it."""

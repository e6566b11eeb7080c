"""Planted defects: each breaks one sentence of the contract, and the named test must turn red."""

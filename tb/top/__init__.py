"""Top-level tests: the whole device against the golden model."""

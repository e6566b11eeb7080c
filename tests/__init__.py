"""Self-tests that run under pytest."""

"""Self-tests of the infrastructure: every guard is seen to fire."""

"""Block tests of the slot pool."""

"""Block tests of the memories and FIFOs that everything depends on."""

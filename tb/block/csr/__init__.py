"""Block tests of BAR0 (kvcpu_csr)."""

"""Block tests of BAR2 (kvcpu_bar2)."""

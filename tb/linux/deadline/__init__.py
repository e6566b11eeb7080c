"""The scheduler of sw/kernel held against Linux's SCHED_DEADLINE (docs/linux.md)."""

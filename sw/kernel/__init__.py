"""The kernel: time, scheduler, dataflow graph, memory, capabilities (software.md 2)."""

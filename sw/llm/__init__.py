"""The LLM service and its backends (software.md 4)."""

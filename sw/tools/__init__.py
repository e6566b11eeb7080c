"""Command-line tools for a served device (software.md 5): each runs by itself, and inside the shell."""

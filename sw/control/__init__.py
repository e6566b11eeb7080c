"""The control plane: frames, codes, streams (software.md 3)."""

"""The device node: one device served to other processes over a local socket (software.md 5)."""

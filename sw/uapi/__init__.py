"""The published kernel interface for C programs: header, library, preload shim (software.md 1, 5)."""

"""The documentation, run: tutorials, commands, site."""

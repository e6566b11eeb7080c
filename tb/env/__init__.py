"""The pyuvm environment of the top-level tests."""

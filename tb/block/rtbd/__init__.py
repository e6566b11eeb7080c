"""Block tests of the directory's parts."""

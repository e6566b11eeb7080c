"""Settings of these tests: the same examples in every run, no wall-clock limits."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("repeatable")

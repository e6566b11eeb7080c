"""The two ways in which a command of `tb.run` can end badly."""


class UsageError(Exception):
    """Wrong use or a machine that lacks something: one line for the user, exit status 2."""


class CheckError(Exception):
    """A check that was asked for did not hold: one line for the user, exit status 1."""

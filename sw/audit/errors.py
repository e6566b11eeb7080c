"""What can go wrong with an audit log; every message is one line."""

from sw.kernel.decision import NotRecorded


class AuditError(Exception):
    """Base of the audit log's errors. What is to be recorded must not happen."""


class AuditUnavailable(AuditError, NotRecorded):
    """The entry could not be kept (disk full, file gone, log in use): the log is as it was before."""


class AuditBroken(AuditError):
    """The log on disk does not verify, so it is not continued."""


class BadEntry(AuditError, ValueError):
    """A field that an entry must not have."""

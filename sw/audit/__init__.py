"""The audit log: a hash chain with a signed head record, and its verifier (software.md 4)."""

from sw.audit.errors import AuditBroken, AuditError, AuditUnavailable, BadEntry
from sw.audit.log import AuditLog
from sw.audit.verifier import Fault, Finding, Report, verify

__all__ = [
    "AuditBroken",
    "AuditError",
    "AuditLog",
    "AuditUnavailable",
    "BadEntry",
    "Fault",
    "Finding",
    "Report",
    "verify",
]

"""The audit log: a hash chain with a signed head record, and its verifier (software.md 4)."""

from sw.audit.errors import AuditBroken, AuditError, AuditUnavailable, BadEntry
from sw.audit.log import AuditLog
from sw.audit.report import Fault, Finding, Report
from sw.audit.verifier import Mark, Verification, verify

__all__ = [
    "AuditBroken",
    "AuditError",
    "AuditLog",
    "AuditUnavailable",
    "BadEntry",
    "Fault",
    "Finding",
    "Mark",
    "Report",
    "Verification",
    "verify",
]

"""Model packages: form, signatures, checks, trust store, tool (software.md 4)."""

from sw.llm.package.build import Weights, pack, sign
from sw.llm.package.errors import PackageRefused
from sw.llm.package.format import Header, Malformed, Tensor
from sw.llm.package.trust import Calendar, TrustedKey, TrustError, TrustStore, host_calendar
from sw.llm.package.verify import Package, PackageLimits, verify, verify_file
from sw.llm.quantisation import Quantisation

__all__ = [
    "Calendar",
    "Header",
    "Malformed",
    "Package",
    "PackageLimits",
    "PackageRefused",
    "Quantisation",
    "Tensor",
    "TrustError",
    "TrustStore",
    "TrustedKey",
    "Weights",
    "host_calendar",
    "pack",
    "sign",
    "verify",
    "verify_file",
]

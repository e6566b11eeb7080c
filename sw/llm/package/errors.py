"""Why a package is refused."""

from sw.codes import Code, Refusal


class PackageRefused(Refusal):
    """A package that must not be loaded, with its code (software.md 3: 32 to 39)."""

    def __init__(self, code: Code, why: str) -> None:
        """Give the code and one line for the operator."""
        super().__init__(code, why)

"""Count the log records that must fail a test, wherever they are logged.

pyuvm's loggers do not propagate to the root logger and never fail a test, so a handler would miss
them; a record factory sees every record of every logger.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class _Expected:
    pattern: re.Pattern[str]
    seen: int = 0


class LogGuard:
    """Collects the messages of records at ERROR and above, except those declared with `expect`."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._expected: list[_Expected] = []
        self._make = logging.getLogRecordFactory()

    def install(self) -> None:
        """Start to see records."""
        logging.setLogRecordFactory(self._record)

    def remove(self) -> None:
        """Stop to see records."""
        logging.setLogRecordFactory(self._make)

    def _record(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        if record.levelno < logging.ERROR:
            return record
        text = record.getMessage()
        for expected in self._expected:
            if expected.pattern.search(text):
                expected.seen += 1
                record.levelno, record.levelname = logging.INFO, "INFO"
                record.msg, record.args = f"[expected error] {text}", ()
                return record
        self.errors.append(f"{record.name}: {text}")
        return record

    @contextlib.contextmanager
    def expect(self, pattern: str, count: int) -> Iterator[None]:
        """Within the block, exactly `count` error records must match; raises AssertionError if not."""
        expected = _Expected(re.compile(pattern))
        self._expected.append(expected)
        try:
            yield
        finally:
            self._expected.remove(expected)
        if expected.seen != count:
            raise AssertionError(f"expected {count} error records matching {pattern!r}, seen {expected.seen}")

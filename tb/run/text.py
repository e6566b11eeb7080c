"""Text of a test's output, made fit for reports: no control characters, equal messages for equal faults."""

import re

# Everything else is no character of XML 1.0, not even escaped: terminals' colours, NUL, halves of surrogate pairs.
_UNPRINTABLE = re.compile(r"[^\t\n\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PART = r"[\w.@+=-]+"
_FOLDERS = re.compile(  # of an absolute path, or of one to a file with a suffix: all up to the last name
    rf"(?<![\w./])(?:(?:~|\.\.?)?/(?:{_PART}/)*(?={_PART})|(?:{_PART}/)+(?=[\w@+=-]+\.[A-Za-z]))"
)
_HASH = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b")
_NUMBER = re.compile(
    r"(?<![A-Za-z])[-+]?(?:0[xX][0-9a-fA-F_]+|\d+'[sS]?[hHbBdD][0-9a-fA-FxXzZ_]+|\d+(?:[,_]\d+)*(?:\.\d+)?(?:[eE][-+]?\d+)?)"
    r"(?:\s?(?:ns|ps|us|ms|s|%)\b)?"
)
_INSTANCE = re.compile(r"(?<=[a-z])\d+\b")  # port3, tier1; S1 and DMA2 are names
_LIST = re.compile(r"N(?:\s*[,/:]?\s*\(?\bN\b\)?)+")


def printable(text: str) -> str:
    r"""`text` with every character that XML cannot hold as `\x1b`."""
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\r\n", "\n"))


def fault(message: str, *names: str) -> str:
    """The first line of a message without what differs from run to run.

    Numbers (seeds, cycles, times, hexadecimal values) and hashes are N, the `names` given TEST; of a path the file's
    name stays.
    """
    text = message.strip().splitlines()[0] if message.strip() else "no message"
    text = _FOLDERS.sub("", text)
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(name)}\b", "TEST", text)
    for pattern in (_HASH, _NUMBER, _INSTANCE):
        text = pattern.sub("N", text)
    return re.sub(r"\s+", " ", _LIST.sub("N", text))

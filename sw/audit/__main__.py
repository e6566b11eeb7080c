"""`python -m sw.audit`: verifies an audit log; signs one again after a crash.

Exit status: 0 whole, 1 not whole or not vouched for, 2 wrong use or a file that cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from sw.audit.errors import AuditBroken, AuditUnavailable
from sw.audit.files import head_path
from sw.audit.report import Report
from sw.audit.reseal import reseal
from sw.audit.verifier import verify
from sw.signing import KeyFileError, PrivateKey, PublicKey
from sw.terminal import command_line, complain, visible

USE = 2
FAILED = 1
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except AuditBroken as error:
        return _fail(str(error), FAILED)
    except (AuditUnavailable, KeyFileError) as error:
        return _fail(str(error), USE)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.strerror else str(error), USE)
    except KeyboardInterrupt:
        return INTERRUPTED


def _fail(message: str, status: int) -> int:
    complain(f"audit: {message}")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sw.audit", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    verifier = commands.add_parser("verify", help="name every altered, missing or reordered line")
    verifier.add_argument("log", type=Path)
    verifier.add_argument("--public", type=Path, metavar="FILE", help="public key of the service")
    verifier.add_argument("--head", type=Path, metavar="FILE", help="head record (default: LOG.head)")
    verifier.add_argument("--no-head", action="store_true", help="accept a log whose tail is not vouched for")
    verifier.add_argument("--json", action="store_true")
    verifier.set_defaults(command=_verify)

    sealer = commands.add_parser("reseal", help="after a crash: vouch for the entries behind the head record")
    sealer.add_argument("log", type=Path)
    sealer.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key of the service")
    sealer.add_argument("--anchor", type=Path, metavar="FILE", help="copy of the head record that the service keeps")
    sealer.add_argument("--accept-loss", action="store_true", help="set damaged files aside and let the log go on")
    sealer.set_defaults(command=_reseal)
    return parser


def _verify(options: argparse.Namespace) -> int:
    head = options.head or head_path(options.log)
    public = None if options.public is None else PublicKey.load(options.public)
    report = verify(options.log, None if options.no_head else head, public)
    if options.json:
        print(json.dumps(_as_json(report)))
    else:
        for finding in report.findings:
            print(finding.message)
    if report.findings or (report.unverified and not options.no_head):
        return _fail(f"{options.log}: {report.summary()}", FAILED)
    if not options.json:
        print(f"{visible(str(options.log))}: {report.summary()}")
    return 0


def _as_json(report: Report) -> dict[str, object]:
    return {
        "lines": report.lines,
        "covered": report.covered,
        "unverified": report.unverified,
        "whole": report.whole,
        "findings": [
            {"fault": finding.fault.value, "line": finding.line, "message": finding.message}
            for finding in report.findings
        ],
    }


def _reseal(options: argparse.Namespace) -> int:
    key = PrivateKey.load(options.key)
    done = reseal(options.log, key, options.anchor, accept_loss=options.accept_loss)
    print(
        f"{options.log}: the head record vouches for {done.entries} entries, before for {done.covered}; "
        f"{done.torn_bytes} bytes of an unfinished line were set aside"
    )
    return 0


if __name__ == "__main__":
    sys.exit(command_line(main))

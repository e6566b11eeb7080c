"""`python -m sw.llm.package`: makes keys, keeps the trust store, packs, signs, inspects and verifies packages.

Exit status: 0 done, 1 the package is refused, 2 wrong use or a file that cannot be used.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sw.llm.package.build import pack, sign
from sw.llm.package.describe import DescriptionError, load_header, load_weights, show
from sw.llm.package.errors import PackageRefused
from sw.llm.package.format import Malformed
from sw.llm.package.trust import TrustedKey, TrustError, TrustStore, host_calendar
from sw.llm.package.verify import PackageLimits, read_package, verify_file
from sw.signing import KeyFileError, PrivateKey, PublicKey
from sw.terminal import command_line, complain

USE = 2
REFUSED = 1
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except PackageRefused as refused:
        return _fail(f"{refused.code.label} ({refused.code.value}): {refused}", REFUSED)
    except Malformed as error:
        return _fail(str(error), REFUSED)
    except (KeyFileError, TrustError, DescriptionError) as error:
        return _fail(str(error), USE)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.strerror else str(error), USE)
    except KeyboardInterrupt:
        return INTERRUPTED


def _fail(message: str, status: int) -> int:
    complain(f"package: {message}")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sw.llm.package", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _keys_parser(commands.add_parser("keys", help="make keys and keep the trust store"))

    packer = commands.add_parser("pack", help="an unsigned package from a description and arrays")
    packer.add_argument("description", type=Path, help="JSON: the header's fields by name")
    packer.add_argument("weights", type=Path, help=".npz of float32 or float16 arrays")
    packer.add_argument("package", type=Path, help="written")
    packer.set_defaults(command=_pack)

    signer = commands.add_parser("sign", help="sign a package")
    signer.add_argument("package", type=Path)
    signer.add_argument("--key", type=Path, required=True, help="private key file")
    signer.add_argument("--output", type=Path, help="write here instead of over the package")
    signer.set_defaults(command=_sign)

    inspector = commands.add_parser("inspect", help="show what a package says; verifies nothing")
    inspector.add_argument("package", type=Path)
    inspector.add_argument("--json", action="store_true")
    inspector.set_defaults(command=_inspect)

    verifier = commands.add_parser("verify", help="every check that loading makes")
    verifier.add_argument("package", type=Path)
    verifier.add_argument("--store", type=Path, required=True, help="trust store")
    verifier.add_argument("--at", type=_time, metavar="TIME", help="calendar time to judge expiry by (default: now)")
    verifier.add_argument("--json", action="store_true")
    limits = PackageLimits()
    for name, what in (
        ("package_bytes", "most bytes of the package"),
        ("context", "longest context"),
        ("vocabulary", "largest vocabulary"),
        ("arena_bytes", "largest arena share"),
    ):
        default = getattr(limits, name)
        option = f"--max-{name.replace('_', '-')}"
        verifier.add_argument(option, dest=name, type=int, default=default, metavar="N", help=f"{what} ({default})")
    verifier.set_defaults(command=_verify)
    return parser


def _keys_parser(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    maker = commands.add_parser("make", help="a new key pair: FILE (mode 0600) and FILE.pub")
    maker.add_argument("file", type=Path)
    maker.set_defaults(command=_make_key)

    truster = commands.add_parser("trust", help="take a public key into the trust store")
    truster.add_argument("store", type=Path)
    truster.add_argument("public", type=Path, help="public key file")
    truster.add_argument("--name", required=True, help="whose it is")
    expiry = truster.add_mutually_exclusive_group(required=True)
    expiry.add_argument("--expires", type=_time, metavar="TIME", help="2027-01-01 or 2027-01-01T12:00:00Z")
    expiry.add_argument("--never-expires", action="store_true")
    truster.set_defaults(command=_trust)

    lister = commands.add_parser("list", help="the keys of the trust store")
    lister.add_argument("store", type=Path)
    lister.add_argument("--json", action="store_true")
    lister.set_defaults(command=_list_keys)

    remover = commands.add_parser("remove", help="trust a key no more")
    remover.add_argument("store", type=Path)
    remover.add_argument("key_id", type=_key_id, help="64 hex digits")
    remover.set_defaults(command=_remove_key)


def _time(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2027-01-01 or 2027-01-01T12:00:00Z") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _key_id(text: str) -> bytes:
    try:
        key_id = bytes.fromhex(text)
    except ValueError:
        key_id = b""
    if len(key_id) != 32:
        raise argparse.ArgumentTypeError("a key id has 64 hex digits")
    return key_id


def _make_key(options: argparse.Namespace) -> int:
    public_file = options.file.with_name(options.file.name + ".pub")
    if public_file.exists():
        raise KeyFileError(f"{public_file}: File exists")
    key = PrivateKey.generate()
    key.save(options.file)
    public_file.write_text(key.public.text())
    print(f"{options.file}: private key\n{public_file}: public key {key.public.key_id.hex()}")
    return 0


def _trust(options: argparse.Namespace) -> int:
    public = PublicKey.load(options.public)
    TrustStore(options.store).add(TrustedKey(public, options.name, options.expires))
    print(f"{options.store}: trusts {options.name} {public.key_id.hex()}")
    return 0


def _list_keys(options: argparse.Namespace) -> int:
    now = host_calendar()
    rows = [
        {
            "key_id": key.public.key_id.hex(),
            "name": key.name,
            "expires": None if key.expires is None else key.expires.isoformat(),
            "expired": key.expired(now),
        }
        for key in TrustStore(options.store).trusted()
    ]
    if options.json:
        print(json.dumps(rows))
    for row in () if options.json else rows:
        print(row["key_id"], row["name"], "expired" if row["expired"] else "expires", row["expires"] or "never")
    return 0


def _remove_key(options: argparse.Namespace) -> int:
    TrustStore(options.store).remove(options.key_id)
    print(f"{options.store}: {options.key_id.hex()} is no longer trusted")
    return 0


def _pack(options: argparse.Namespace) -> int:
    header = load_header(options.description)
    package = pack(header, load_weights(options.weights, header.quantisation))
    _replace(options.package, package)
    print(f"{options.package}: {len(package)} bytes, not signed")
    return 0


def _sign(options: argparse.Namespace) -> int:
    key = PrivateKey.load(options.key)
    signed = sign(read_package(options.package, PackageLimits().package_bytes), key)
    target = options.output or options.package
    _replace(target, signed)
    print(f"{target}: signed by {key.public.key_id.hex()}")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    shown = show(read_package(options.package, PackageLimits().package_bytes))
    if options.json:
        print(json.dumps(shown))
    else:
        _print_shown(shown)
        print("nothing is verified: use `verify`")
    return 0


def _verify(options: argparse.Namespace) -> int:
    limits = PackageLimits(options.package_bytes, options.context, options.vocabulary, options.arena_bytes)
    package = verify_file(options.package, TrustStore(options.store), limits, options.at or host_calendar())
    result = {
        "model": package.header.name,
        "id": package.header.model_id,
        "revision": package.header.revision,
        "signed_by": package.key.name,
        "key_id": package.key.public.key_id.hex(),
        "digest": package.digest.hex(),
    }
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"{options.package}: good, model {result['model']} (id {result['id']}, revision {result['revision']}), "
            f"signed by {result['signed_by']}"
        )
    return 0


def _print_shown(shown: dict[str, Any]) -> None:
    for name, value in shown.items():
        if name != "tensors":
            print(f"{name:15} {value}")
    for tensor in shown["tensors"]:
        dims = "x".join(map(str, tensor["dims"]))
        print(f"  {tensor['name']:24} {tensor['type']:5} {dims:16} {tensor['bytes']} bytes at {tensor['offset']}")


def _replace(path: Path, data: bytes) -> None:
    """A reader sees the old file or the new one whole."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(command_line(main))

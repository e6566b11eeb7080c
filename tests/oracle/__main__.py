"""`python -m tests.oracle`: random command streams on the oracle and on the device model, as many as asked for."""

from __future__ import annotations

import argparse
import sys
import time

from tests.oracle import on_model, stream
from tests.oracle.planted import PLANTED, plant
from tests.oracle.state import Sizes

PLANTED_LENGTH = 60


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def planted(first: int, streams: int) -> int:
    """Print a detecting seed of every planted misreading; 1 when one has none among the streams."""
    missed = 0
    for defect in PLANTED:
        with plant(defect):
            seeds = range(first, first + streams)
            seed = next((seed for seed in seeds if on_model.difference(*_stream(seed)) is not None), None)
        missed += seed is None
        print(f"{seed or 'not detected'}: {defect.what}", flush=True)
    return 1 if missed else 0


def _stream(seed: int) -> tuple[list[stream.Op], Sizes]:
    sizes = on_model.sizes_of(seed)
    return stream.make(seed, sizes, PLANTED_LENGTH), sizes


def main() -> int:
    """Exit status 0: no difference; 1: one, printed with its smallest stream; 2: wrong use; 130: interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seed", type=positive, help="of the first stream; the next ones follow (default: random)")
    parser.add_argument("--streams", type=positive, default=200, help="streams to run (default 200)")
    parser.add_argument("--length", type=positive, default=100, help="operations of a stream (default 100)")
    parser.add_argument("--planted", action="store_true", help="the first seed that detects each planted misreading")
    options = parser.parse_args()
    if options.planted:
        return planted(options.seed or 1, options.streams)
    first = options.seed or on_model.fresh_seed()
    began = shown = time.monotonic()
    for number in range(options.streams):
        seed = first + number
        sizes = on_model.sizes_of(seed)
        ops = stream.make(seed, sizes, options.length)
        if on_model.difference(ops, sizes) is not None:
            print(on_model.report(seed, options.length, ops, sizes))
            return 1
        if time.monotonic() - shown > 2:
            shown = time.monotonic()
            print(f"{number + 1} of {options.streams} streams, seed {seed}, {shown - began:.0f} s", flush=True)
    print(f"{options.streams} streams from seed {first}: device model and oracle agree")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

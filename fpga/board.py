"""`python -m fpga.board PORT`: the smoke sequence on a board, through its serial port.

Every test of fpga/smoke.py must have the same outcome as on the device model. Exit status: 0 it has, 1 it has not,
2 wrong use or no board at the port, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fpga import smoke
from model.device import DeviceModel
from sw.driver import Driver
from sw.driver.errors import DriverError
from sw.run import run
from sw.transport.base import TransportError
from sw.transport.model import ModelTransport
from sw.transport.port import BAUD, SerialPort
from sw.transport.serial import SerialTransport

LIMIT_NS = 20_000_000_000  # of any answer; a test moves some kilobytes at 300,000 bytes a second


def _expected(name: str, entries: int, lanes: int) -> smoke.Outcome:
    transport = ModelTransport(DeviceModel(entries=entries, lanes=lanes, axi_data_width=64))
    return run(smoke.run_test(name, run(Driver.probe(transport)), transport))


def check(transport: SerialTransport) -> int:
    """Run every test; the number of those with another outcome than on the model."""
    driver = run(Driver.probe(transport, LIMIT_NS))
    failed = 0
    for name in smoke.TESTS:
        expected = _expected(name, driver.caps.entries, driver.caps.lanes)
        seen = run(smoke.run_test(name, driver, transport))
        print(f"  {'passed' if seen == expected else 'FAILED'}  {name}")
        for what in expected:
            if seen.get(what) != expected[what]:
                print(f"          {what}: expected {expected[what]}, seen {seen.get(what)}")
        failed += seen != expected
    return failed


def main(argv: list[str]) -> int:
    """Open the port and run the tests."""
    parser = argparse.ArgumentParser(prog="python -m fpga.board", description=__doc__)
    parser.add_argument("port", type=Path, help="serial port of the board, /dev/ttyUSB0 for example")
    parser.add_argument("--baud", type=int, default=BAUD, help=f"bits per second (default {BAUD:,})")
    options = parser.parse_args(argv)
    try:
        port = SerialPort(options.port, options.baud)
    except TransportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = False
    try:
        transport = run(SerialTransport.connect(port, LIMIT_NS))
        found = True
        failed = check(transport)
    except (TransportError, DriverError) as error:
        print(f"error: {'the board ends the test: ' if found else 'no board: '}{error}", file=sys.stderr)
        return 1 if found else 2
    except KeyboardInterrupt:
        print("interrupted: a reset of the board (its button) leaves nothing behind", file=sys.stderr)
        return 130
    finally:
        port.close()
    if failed:
        print(f"error: {failed} of {len(smoke.TESTS)} tests differ from the device model", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

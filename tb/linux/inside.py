"""Runs in the guest: the software of the project over /dev/kvcpu0. Exit status 0: the micro-LLM's tokens are right."""

import sys

from sw.driver import DriverError
from sw.llm.backend import DeviceFault
from sw.transport.accelerator import ConfigAccelerator
from sw.transport.base import TransportError
from sw.transport.linux import LinuxTransport
from sw.transport.node_file import NodeFile
from tb.linux import micro_llm


def main() -> int:
    """Serve the prompts and print what `micro_llm.judge` reads."""
    try:
        node = NodeFile()
        accelerator = ConfigAccelerator(node.config)
        print(micro_llm.line(micro_llm.serve(LinuxTransport(node, accelerator))), flush=True)
    except (micro_llm.Difference, DriverError, TransportError, DeviceFault) as error:
        print(f"# {error}", flush=True)
        return 1
    accelerator.close()
    node.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

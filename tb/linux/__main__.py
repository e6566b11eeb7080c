"""Entry of `make kernel`."""

import sys

from tb.linux.cli import main

sys.exit(main(sys.argv[1:]))

"""`python -m tb.lab.point`: see `--help`."""

import sys

from tb.lab.point.cli import main

sys.exit(main(sys.argv[1:]))

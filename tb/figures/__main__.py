"""`python -m tb.figures`: see `--help`."""

import sys

from tb.figures.cli import main

sys.exit(main(sys.argv[1:]))

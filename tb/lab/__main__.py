"""`python -m tb.lab`: see `--help`."""

import sys

from tb.lab.cli import main

sys.exit(main(sys.argv[1:]))

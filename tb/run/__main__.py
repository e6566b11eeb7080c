"""`python -m tb.run`: see `--help`."""

import sys

from tb.run.cli import main

sys.exit(main(sys.argv[1:]))

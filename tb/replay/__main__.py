"""`python -m tb.replay`: see `--help`."""

import sys

from tb.replay.cli import main

sys.exit(main(sys.argv[1:]))

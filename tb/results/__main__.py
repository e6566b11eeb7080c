"""`python -m tb.results`: see `--help`."""

import sys

from tb.results.cli import main

sys.exit(main(sys.argv[1:]))

"""`python -m tb.llm`: see `--help`."""

import sys

from tb.llm.cli import main

sys.exit(main(sys.argv[1:]))

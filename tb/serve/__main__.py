"""Entry of `make serve`."""

import sys

from tb.serve.cli import main

sys.exit(main(sys.argv[1:]))

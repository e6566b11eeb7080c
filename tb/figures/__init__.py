"""`make bench`: every figure of docs/figures.md, measured on the RTL or by a run, against its target."""

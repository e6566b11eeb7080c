"""Infrastructure of the testbench: set-up, builds, runs, verdicts, regressions and reports."""

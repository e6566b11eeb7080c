"""Regressions over the workers of a Dask cluster: `make regress SCHEDULER=<address>` (docs/regression.md)."""

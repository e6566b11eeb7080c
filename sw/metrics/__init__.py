"""Metrics: schema, exact percentiles, Prometheus text, report page (software.md 4)."""

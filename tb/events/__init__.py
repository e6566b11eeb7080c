"""The monitors' records: layouts and kinds (`records`), the event log (`log`)."""

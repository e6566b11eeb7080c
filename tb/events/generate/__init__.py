"""Generator of everything that is derived from `tb/events/events.toml`."""

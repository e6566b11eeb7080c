"""The workload: KV-cache traces, their generator, and the runtime that replays them through the driver."""

"""`make sim`: replays a KV-cache trace on the simulated RTL, or on the device model, and reports."""

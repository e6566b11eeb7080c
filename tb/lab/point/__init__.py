"""`make sim CONFIG=<file>`: one point of the eviction experiment on a device, held against the policy level."""

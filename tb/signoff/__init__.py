"""Sign-off: which stage the device has reached, by numbers, and what is missing for the next (docs/signoff.md)."""

"""Tests of the replay: trace reader, generator, runtime on the device model, reports, command line."""

"""`make serve`: a simulation of the RTL, or the device model, kept open behind the device node's socket."""

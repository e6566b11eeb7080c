"""System level: the software stack on the RTL."""

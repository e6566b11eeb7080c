"""`make kernel`: a real Linux kernel (User Mode Linux) that drives the device over PCI, in one simulated time."""

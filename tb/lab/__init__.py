"""`make experiments`: the laboratory: declarative experiments on the device's policy."""

"""The board top through its pins: the serial transport, the smoke sequence, the bridge's refusals."""

"""FPGA: the board top, its pre-checks (`fpga.flow`), and the smoke sequence that runs on it (`fpga.smoke`)."""

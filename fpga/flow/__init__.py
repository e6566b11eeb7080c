"""`make fpga-check`: would this RTL make a good bitstream? Open tools only; docs/fpga.md tells what is checked."""

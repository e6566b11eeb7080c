# The device in a U250 design, as a block: clk_i at 250 MHz, everything else synchronous to it.
# Vivado reads this for an out-of-context run of `kvcpu`; the shell around it owns the pins.

create_clock -name clk -period 4.000 [get_ports clk_i]
set_clock_uncertainty 0.100 [get_clocks clk]

# The reset is released synchronously by the shell, and asserted at any time.
set_false_path -from [get_ports rst_ni]

# Registers, directory window
set_input_delay  -clock clk 1.000 [get_ports {bar0_*_i bar2_*_i}]
set_output_delay -clock clk 1.000 [get_ports {bar0_*_o bar2_*_o}]

# Lookup ports
set_input_delay  -clock clk 1.000 [get_ports {lookup_*_i answer_ready_i}]
set_output_delay -clock clk 1.000 [get_ports {lookup_ready_o answer_*_o}]

# Memory
set_input_delay  -clock clk 1.000 [get_ports {axi_*_i}]
set_output_delay -clock clk 1.000 [get_ports {axi_*_o}]

# Interrupt: a level, taken into the host's clock by the shell
set_false_path -to [get_ports irq_o]

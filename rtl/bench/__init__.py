"""cocotb benches, run inside the simulator process."""

"""SystemVerilog of the compute cores, its generator, and the cocotb benches that run it."""

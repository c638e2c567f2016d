"""SystemVerilog of the bin-accumulate core."""

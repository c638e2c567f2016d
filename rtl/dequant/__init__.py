"""SystemVerilog of the dequantise-on-read unit."""

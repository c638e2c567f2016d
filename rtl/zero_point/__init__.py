"""SystemVerilog of the zero-point correction behind an array of raw integer products."""

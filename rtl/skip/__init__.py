"""SystemVerilog of the zero-skipping row."""

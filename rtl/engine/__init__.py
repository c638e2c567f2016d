"""SystemVerilog of the layer engine, one module per file."""

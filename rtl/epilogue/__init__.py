"""SystemVerilog of what follows an array: requantiser, threshold bank, pooling."""

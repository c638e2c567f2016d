"""SystemVerilog of floating-point multiply, add and the FP16 multiply-add core with interleaved accumulation."""

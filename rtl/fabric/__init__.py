"""SystemVerilog of the fabric around the arrays: FIFO, register slice, arbiter, scratchpads."""

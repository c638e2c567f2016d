"""SystemVerilog of the N:M online reduction: keep the N largest magnitudes of every group of M streamed values."""

"""SystemVerilog of scratchpads: banks with ports that share them, and shifted reads of a feature map."""

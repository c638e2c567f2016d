"""DRAM with timing: controllers of one channel each, an exact skip along sequential streams, the link to the machine."""

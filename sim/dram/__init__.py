"""DRAM with timing: a controller per channel, an exact skip along sequential streams, the link to the machine."""

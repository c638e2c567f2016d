"""Execution of a network on a cluster: coarse events of cores, DMA engines, shared scratchpad and DRAM channel."""

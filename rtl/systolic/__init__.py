"""SystemVerilog modules of the systolic cores, as package data."""

"""Machines out of files of other tools (ZigZag, Timeloop, AccelForge), read strictly: the rest is refused."""

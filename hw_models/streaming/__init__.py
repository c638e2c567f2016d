"""Stages of spatial pipelines: every layer is a unit of its own, joined to the next by a FIFO."""

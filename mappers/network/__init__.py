"""Networks on clusters: operators and their costs, residency of tensors, allocation to cores, order, fusion, pipelines.

The operators of a network, what each costs on each core and the lowering of decisions to a list of tasks are here; time
passes in `sim.network`.
"""

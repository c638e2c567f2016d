"""Grouped convolutions as the layer engine runs them: loop G by 1 outside of all tiles, commands for every group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hw_models.layer_engine import engine_params
from workloads.errors import InfeasibleError, InputError

if TYPE_CHECKING:
    from mappers.mapping import Mapping
    from mappers.plan import Part, Plan


def group_by_group(plan: Plan) -> tuple[Plan, tuple[str, ...]]:
    """Return `plan` with its grouped convolutions walked one channel group at a time, and the names of these layers.

    The mapping of one group is the searched one of that group alone. `plan` itself comes back for a machine that is no
    layer engine, and where no layer has groups.

    Raises
    ------
    InfeasibleError
        If one group of a layer has no mapping.
    """
    from mappers.given import GivenPlan
    from mappers.plan import make_plan

    changed = tuple(
        part.layer.name
        for entry in plan.groups
        for part in entry.parts
        if part.problem.groups_interleaved and part.problem.size["G"] > 1
    )
    if not changed or not _is_engine(plan):
        return plan, ()
    core = plan.accelerator.core.name
    nests = {
        entry.group.lead.name: tuple(
            _one_by_one(part, plan) if part.layer.name in changed else part.mapping(core) for part in entry.parts
        )
        for entry in plan.groups
        if entry.parts
    }
    return make_plan(plan.network, plan.accelerator, plan.objective, given=GivenPlan(nests, {})), changed  # type: ignore[arg-type]


def _is_engine(plan: Plan) -> bool:
    try:
        engine_params(plan.accelerator)
    except InputError:
        return False
    return True


def _one_by_one(part: Part, plan: Plan) -> Mapping:
    """Return the best mapping of one group of `part`, below a loop over its groups."""
    from mappers.mapping import TileLoop
    from mappers.search import search
    from workloads.errors import Infeasible

    problem = part.problem
    sizes = tuple((dim, 1 if dim == "G" else size) for dim, size in problem.sizes)
    found = search(replace(problem, sizes=sizes), plan.accelerator, plan.objective)
    if isinstance(found, Infeasible):
        raise InfeasibleError(found)
    nest = found.mapping(part.layer.name, plan.accelerator.core.name)
    loops = (TileLoop("G", problem.size["G"], 1), *nest.loops)
    return replace(nest, loops=loops, cuts=tuple((role, cut + 1) for role, cut in nest.cuts), certificate=None)

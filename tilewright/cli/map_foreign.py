"""``tilewright map`` on a machine in another tool's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tilewright.foreign import ForeignJob
from tilewright.cli.options import emit_json, note, save_json, say
from workloads.errors import Infeasible, InputError

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_TIME_LIMIT_S = 10.0
"""CPU seconds a layer where --time-limit is left out; what is then unproven is printed with its gap."""
UNROLLINGS, NODES, EVALUATIONS = 16, 3000, 600
"""Effort for a layer that is searched by ZigZag's own figures (`mappers.zigzag_search.search.Effort`)."""


def foreign_options(function: F) -> F:
    """Add ``--arch-format``, ``--mapping`` and ``--energies``."""
    for option in (
        click.option(
            "--energies", default=None, help="Timeloop's energy reference table (ERT_summary) for the machine."
        ),
        click.option(
            "--mapping",
            "peer_mapping",
            default=None,
            help="ZigZag mapping file: unrollings; Timeloop mapping file: costed as it is.",
        ),
        click.option(
            "--arch-format", default=None, help="zigzag, timeloop or accelforge; recognised by the file if left out."
        ),
    ):
        function = option(function)
    return function


def map_foreign(
    workload: str, arch: str, form: Any, objective: str, mapping: str | None, energies: str | None,
    dims: dict[str, int], time_limit_s: float | None, as_json: bool, output: Path | None,
) -> int:  # fmt: skip
    """Map every layer of `workload` on the machine of the file `arch` and print the nests."""
    from mappers.nests.cost import evaluate, violation
    from mappers.nests.mapping_yaml import nest_lines
    from mappers.nests.objective import parse_objective
    from mappers.nests.search import search_nest
    from mappers.nests.views import Nest
    from mappers.zigzag_search.search import OBJECTIVES
    from tilewright.foreign import foreign_jobs

    limit = DEFAULT_TIME_LIMIT_S if time_limit_s is None else time_limit_s
    if not limit >= 0:  # NaN too
        raise InputError(f"--time-limit {limit:g}: bound is >= 0 CPU seconds; raise it")
    loaded = foreign_jobs(workload, arch, form, mapping, energies, dims)
    goal = parse_objective(objective)
    if not loaded.priced and any(metric != "latency" for metric in goal.metrics):
        raise InputError(
            f"machine '{arch}': states no energies, objective is '{objective}'; give --energies TABLE or "
            "--objective latency"
        )
    for line in loaded.notes:
        note(f"note: {line}")
    known: dict[Any, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    for job in loaded.jobs:
        by_report = job.reported is not None and objective in OBJECTIVES
        key = (job.problem, job.tree, job.given, job.reported and job.reported.unrolling)
        if key not in known:
            if by_report:
                known[key] = _reported(job, objective, limit)
            elif job.given is not None:
                nest = Nest(job.problem, job.tree, job.given)
                broken = violation(nest)
                known[key] = _row(broken or evaluate(nest, job.counting), nest_lines(job.given), None, loaded.priced)
            else:
                found = search_nest(job.problem, job.tree, goal, job.counting, limit)
                known[key] = (
                    _row(found, [], None, False)
                    if isinstance(found, Infeasible)
                    else _row(found.cost, nest_lines(found.mapping), found.certificate.gap, loaded.priced)
                )
        rules = f"{job.counting} reported" if by_report else job.counting
        rows.append({"name": job.name, "macs": job.problem.macs, "counting": rules} | known[key])
    data = {"schema": "tilewright.foreign/1", "arch": arch, "arch_format": form, "objective": objective, "layers": rows}
    save_json(output, "foreign.json", data)
    if as_json:
        emit_json(data)
    else:
        _print(rows)
    return 3 if all("infeasible" in row for row in rows) else 0


def _row(answer: Any, lines: list[str], gap: float | None, priced: bool) -> dict[str, Any]:
    """Return what is told of a layer: an infeasible answer, or cost, nest and gap."""
    if isinstance(answer, Infeasible):
        return {"infeasible": str(answer)}
    row = {"latency_cycles": answer.latency_cycles, "bound_by": answer.bound_by, "nest": lines, "gap": gap}
    return row | ({"energy_pj": float(answer.energy_pj)} if priced else {})


def _reported(job: ForeignJob, objective: str, limit: float) -> dict[str, Any]:
    """Return what is told of a layer that is searched by ZigZag's own figures."""
    from mappers.exchange.zigzag_mapping import nest_of_loops
    from mappers.nests.deadline import Deadline
    from mappers.nests.mapping_yaml import nest_lines
    from mappers.zigzag_search.search import Effort, search_plan
    from mappers.zigzag_search.unrollings import unrollings

    case = job.reported
    assert case is not None  # asked by the caller
    links = dict(case.links)
    spaces = [dict(case.unrolling)] if case.unrolling else unrollings(case.hardware, case.layer, links, UNROLLINGS)
    effort = Effort(NODES, EVALUATIONS)
    plan = search_plan(case.hardware, case.layer, links, spaces, objective, effort, Deadline(limit).late)
    if isinstance(plan, Infeasible):
        return {"infeasible": str(plan)}
    nest = nest_of_loops(job.problem, job.tree, plan.temporal, plan.unrolling)
    return {
        "latency_cycles": _whole(plan.count.latency_cycles), "bound_by": plan.bound_by, "nest": nest_lines(nest),
        "gap": plan.gap, "energy_pj": plan.count.energy_pj, "unrollings": plan.unrollings,
    }  # fmt: skip


def _whole(cycles: float) -> float:
    """Return `cycles`, an integer where it is one: ZigZag spreads the end of a layer over idle parts of cycles."""
    return int(cycles) if float(cycles).is_integer() else round(cycles, 6)


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if "infeasible" in row:
            say(f"{row['name']}: {row['infeasible']}")
            continue
        energy = f", {row['energy_pj']:,.0f} pJ" if "energy_pj" in row else ""
        state = "as given" if row["gap"] is None else ("optimal" if row["gap"] == 0 else f"gap {row['gap']:.2%}")
        state += f" over {row['unrollings']} unrollings" if row.get("unrollings", 1) > 1 else ""
        head = f"{row['name']}: {row['latency_cycles']:,} cycles ({row['bound_by']})"
        say(f"{head}{energy}, {state}, {row['counting']} rules")
        depth = 1
        for line in row["nest"]:
            say("  " * depth + line[2:])
            depth += not line.startswith("- hold")

"""``tilewright map`` on a machine in another tool's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tilewright.cli.options import emit_json, note, save_json, say
from workloads.errors import Infeasible, InputError

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_TIME_LIMIT_S = 10.0
"""CPU seconds a layer where --time-limit is left out; what is then unproven is printed with its gap."""


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
    from mappers.nests.cost import NestCost, evaluate, violation
    from mappers.nests.mapping_yaml import nest_lines
    from mappers.nests.objective import parse_objective
    from mappers.nests.search import search_nest
    from mappers.nests.views import Nest
    from tilewright.foreign import foreign_jobs

    limit = DEFAULT_TIME_LIMIT_S if time_limit_s is None else time_limit_s
    if limit < 0:
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
    known: dict[Any, tuple[NestCost, list[str], float | None] | Infeasible] = {}
    rows: list[dict[str, Any]] = []
    for job in loaded.jobs:
        key = (job.problem, job.tree, job.given)
        if key not in known:
            if job.given is not None:
                nest = Nest(job.problem, job.tree, job.given)
                broken = violation(nest)
                known[key] = broken or (evaluate(nest, job.counting), nest_lines(job.given), None)
            else:
                found = search_nest(job.problem, job.tree, goal, job.counting, limit)
                if isinstance(found, Infeasible):
                    known[key] = found
                else:
                    known[key] = (found.cost, nest_lines(found.mapping), found.certificate.gap)
        answer = known[key]
        row: dict[str, Any] = {"name": job.name, "macs": job.problem.macs, "counting": job.counting}
        if isinstance(answer, Infeasible):
            rows.append(row | {"infeasible": str(answer)})
            continue
        cost, lines, gap = answer
        row |= {"latency_cycles": cost.latency_cycles, "bound_by": cost.bound_by, "nest": lines, "gap": gap}
        rows.append(row | ({"energy_pj": float(cost.energy_pj)} if loaded.priced else {}))
    data = {"schema": "tilewright.foreign/1", "arch": arch, "arch_format": form, "objective": objective, "layers": rows}
    save_json(output, "foreign.json", data)
    if as_json:
        emit_json(data)
    else:
        _print(rows)
    return 3 if all("infeasible" in row for row in rows) else 0


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if "infeasible" in row:
            say(f"{row['name']}: {row['infeasible']}")
            continue
        energy = f", {row['energy_pj']:,.0f} pJ" if "energy_pj" in row else ""
        state = "as given" if row["gap"] is None else ("optimal" if row["gap"] == 0 else f"gap {row['gap']:.2%}")
        head = f"{row['name']}: {row['latency_cycles']:,} cycles ({row['bound_by']})"
        say(f"{head}{energy}, {state}, {row['counting']} rules")
        depth = 1
        for line in row["nest"]:
            say("  " * depth + line[2:])
            depth += not line.startswith("- hold")

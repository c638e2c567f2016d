"""``tilewright map`` on a memory hierarchy: the general layer mapper, and the recheck of its plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tilewright.cli.options import emit_json, file_target, say
from workloads.errors import Infeasible, InfeasibleError, InputError, MismatchError
from workloads.whole_file import write_whole

if TYPE_CHECKING:
    from mappers.nests.network import MappedLayer


def map_on_hierarchy(
    workload: str,
    arch: str,
    sizes: dict[str, int],
    objective: str,
    counting: str | None,
    tiles: str,
    limits: tuple[str, ...],
    time_limit_s: float | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Map every MAC layer of `workload` on hierarchy `arch`; print and write the plan."""
    from hw_models.hierarchy.reader import load_hierarchy
    from mappers.nests.network import map_nests
    from mappers.nests.objective import parse_objective
    from mappers.nests.plan_text import dump_plan
    from tilewright.sources import load_workload

    if counting not in (None, "timeloop", "zigzag"):
        raise InputError(f"--counting '{counting}': bound is timeloop, zigzag; choose one")
    if tiles not in ("divisor", "ceil"):
        raise InputError(f"--tiles '{tiles}': bound is divisor, ceil; choose one")
    if time_limit_s is not None and not time_limit_s >= 0:  # NaN too
        raise InputError(f"--time-limit {time_limit_s:g}: bound is >= 0 CPU seconds; raise it")
    tree = load_hierarchy(arch)
    rule: Any = counting or "timeloop"
    goal = parse_objective(objective, limits)
    network = load_workload(workload, sizes).network
    mapped = map_nests(network, tree, goal, rule, time_limit_s, tiles="ceil" if tiles == "ceil" else "divisor")
    if not mapped:
        raise InputError(f"workload '{workload}': has no MAC layer; there is nothing to map")
    target = file_target(output, "nests.yaml")
    if target is not None:
        write_whole(target, dump_plan(mapped, tree, rule, objective))
    if as_json:
        emit_json([_row(layer) for layer in mapped])
    else:
        _print(mapped)
    if all(isinstance(found, Infeasible) for layer in mapped for found in layer.found):
        raise InfeasibleError(next(found for found in mapped[0].found if isinstance(found, Infeasible)))
    return 0


def _row(layer: MappedLayer) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for problem, found in zip(layer.problems, layer.found, strict=True):
        if isinstance(found, Infeasible):
            parts.append({"dims": dict(problem.dims), "infeasible": str(found)})
            continue
        from mappers.nests.mapping_yaml import nest_lines

        proof = found.certificate
        parts.append(
            {
                "dims": dict(problem.dims),
                "macs": problem.macs,
                "energy_pj": float(found.cost.energy_pj),
                "latency_cycles": found.cost.latency_cycles,
                "bound_by": found.cost.bound_by,
                "nest": nest_lines(found.mapping),
                "value": proof.value,
                "bound": proof.bound,
                "gap": proof.gap,
                "proven_optimal": proof.proven_optimal,
                "map_space": proof.map_space,
                "mappings": str(proof.mappings),
            }
        )
    return {"name": layer.name, "problems": parts}


def _print(mapped: tuple[MappedLayer, ...]) -> None:
    from mappers.nests.mapping_yaml import nest_lines

    shown: dict[Any, str] = {}
    energy, cycles, open_layers = 0.0, 0, 0
    for layer in mapped:
        for problem, found in zip(layer.problems, layer.found, strict=True):
            if isinstance(found, Infeasible):
                say(f"{layer.name}: {found}")
                continue
            proof = found.certificate
            energy += float(found.cost.energy_pj)
            cycles += found.cost.latency_cycles
            open_layers += not proof.proven_optimal
            state = "optimal" if proof.proven_optimal else f"gap {proof.gap:.2%}"
            head = (
                f"{layer.name}: {found.cost.latency_cycles:,} cycles ({found.cost.bound_by}), "
                f"{float(found.cost.energy_pj):,.0f} pJ, {state}, {proof.mappings:.2e} mappings"
            )
            if problem in shown:
                say(f"{head}; as {shown[problem]}")
                continue
            shown[problem] = layer.name
            say(head)
            depth = 1
            for line in nest_lines(found.mapping):
                say("  " * depth + line[2:])
                depth += not line.startswith("- hold")
    proven = "every layer optimal" if not open_layers else f"{open_layers} layers with a gap"
    say(f"total: {cycles:,} cycles, {energy:,.0f} pJ, {len(shown)} different layers, {proven}")


def recheck_plan(path: Path, as_json: bool) -> int:
    """Cost the nests of a plan again by the naive count; exit code 4 where it disagrees with the file."""
    from mappers.nests.plan_text import read_plan
    from mappers.nests.recheck import recheck

    plan = read_plan(path)
    rows, wrong = [], []
    for nest in plan.nests:
        again = recheck(nest.problem, plan.tree, nest.mapping, plan.counting)
        faults = [f"'{name}' is overfull" for name in again.overfull]
        if again.energy_pj != nest.energy_pj:
            faults.append(f"energy is {float(again.energy_pj):.6g} pJ, the plan says {float(nest.energy_pj):.6g}")
        if again.latency_cycles != nest.latency_cycles:
            faults.append(f"latency is {again.latency_cycles:,} cycles, the plan says {nest.latency_cycles:,}")
        rows.append({"layers": list(nest.layers), "walked": again.walked, "faults": faults})
        wrong += [f"{nest.layers[0]}: {fault}" for fault in faults]
    if as_json:
        emit_json({"nests": rows, "ok": not wrong})
    if wrong:
        raise MismatchError("\n".join([f"{path}: {len(wrong)} disagreements", *(f"  {text}" for text in wrong)]))
    if not as_json:
        say(f"{path}: {len(rows)} nests agree with the naive count of tiles, accesses, energy and latency")
    return 0

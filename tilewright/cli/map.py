"""``tilewright map WORKLOAD``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tilewright.cli.map_foreign import foreign_options, map_foreign
from tilewright.cli.options import arch_options, common, dim_options, emit_json, note, parse_dims, save_json, say
from workloads.errors import InputError

if TYPE_CHECKING:
    from mappers.plan import Plan


@click.command("map")
@click.argument("workload", required=False)
@click.option("--objective", default="latency", show_default=True, help="latency, energy or edp.")
@click.option(
    "--commands",
    "commands",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Also write the lowered command list to this .json file; `tilewright verify FILE` runs it on the RTL.",
)
@click.option("--counting", default=None, help="Rules of a hierarchy: timeloop or zigzag. [default: timeloop]")
@click.option("--tiles", default="divisor", show_default=True, help="Tiles on a hierarchy: divisor, ceil.")
@click.option("--limit", "limits", multiple=True, metavar="METRIC=VALUE", help="Upper limit, on a hierarchy.")
@click.option("--time-limit", "time_limit_s", type=float, default=None, help="CPU seconds, on a hierarchy.")
@click.option("--plan", type=click.Path(path_type=Path), default=None, help="With --recheck: a plan of a hierarchy.")
@click.option("--recheck", is_flag=True, help="Cost the nests of --plan again by a naive count.")
@foreign_options
@arch_options
@dim_options
@common
def command(
    workload: str | None,
    objective: str,
    commands: Path | None,
    counting: str | None,
    tiles: str,
    limits: tuple[str, ...],
    time_limit_s: float | None,
    plan: Path | None,
    recheck: bool,
    arch_format: str | None,
    peer_mapping: str | None,
    energies: str | None,
    arch: str,
    overrides: tuple[str, ...],
    dims: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Print the loop nest of every mapped layer with its cost model, value, bound and gap.

    --arch may name a memory hierarchy (docs/layer_mapper.md); --counting, --tiles, --limit and --time-limit are for it.

    --arch may name a machine file of ZigZag, Timeloop or AccelForge (docs/importers.md); --arch-format, --mapping and
    --energies are for it.

    -o FILE writes the plan with tensor placement; `tilewright sim --plan FILE` simulates exactly it.
    """
    from hw_models.cluster_description import is_cluster
    from hw_models.hierarchy.reader import is_hierarchy
    from tilewright.cli.map_nests import map_on_hierarchy, recheck_plan

    if recheck or plan is not None:
        if not recheck or plan is None or workload is not None:
            raise InputError("map --recheck: needs --plan FILE and no workload; the plan holds its layers")
        return recheck_plan(plan, as_json)
    if workload is None:
        raise InputError("map: no workload; name a built-in (tilewright list workloads) or a file")
    from tilewright.foreign import arch_format as recognise

    form = recognise(arch, arch_format)
    if form is not None:
        if overrides or commands is not None or counting is not None or limits or tiles != "divisor":
            raise InputError(
                f"map on '{arch}': --set, --commands, --counting, --tiles and --limit are not for {form} machines; "
                f"leave them out"
            )
        sizes = parse_dims(dims)
        return map_foreign(
            workload, arch, form, objective, peer_mapping, energies, sizes, time_limit_s, as_json, output
        )
    if peer_mapping is not None or energies is not None:
        raise InputError(f"map on '{arch}': --mapping and --energies are for ZigZag and Timeloop machines")
    if is_cluster(arch):
        raise InputError(
            f"map on cluster '{arch}': a plan for several cores is made and run by sim; use: tilewright sim {workload} "
            f"--arch {arch} --json (placement, cores and times of every operator), or map on the description of a core"
        )
    if is_hierarchy(arch):
        if overrides or commands is not None:
            raise InputError(f"map on hierarchy '{arch}': --set and --commands are for accelerators; leave them out")
        return map_on_hierarchy(
            workload, arch, parse_dims(dims), objective, counting, tiles, limits, time_limit_s, output, as_json
        )
    if counting is not None or tiles != "divisor" or limits or time_limit_s is not None:
        raise InputError(f"map on '{arch}': --counting, --tiles, --limit and --time-limit are for a memory hierarchy")
    from hw_models.description import load_accelerator

    if load_accelerator(arch, overrides).core.array.kind == "row_stationary":
        from tilewright.cli.map_passes import map_in_passes

        return map_in_passes(workload, arch, objective, overrides, parse_dims(dims), commands, output, as_json)
    from tilewright.api import map_network
    from tilewright.plan_file import plan_data
    from tilewright.sources import load_workload

    sizes = parse_dims(dims)
    loaded = load_workload(workload, sizes)
    planned = map_network(loaded, arch, objective, overrides=overrides)
    if commands is not None:
        from tilewright.engine_groups import group_by_group

        planned, changed = group_by_group(planned)
        if changed:
            note(f"mapped one channel group at a time, as the layer engine runs them: {', '.join(changed)}")
    data = plan_data(planned, workload, loaded.sha256, arch, sizes, overrides)
    save_json(output, "plan.json", data)
    if commands is not None:
        from tilewright.command_list import command_data

        save_json(commands, "commands.json", command_data(planned, workload, loaded.sha256, arch, sizes, overrides))
    if as_json:
        emit_json(data)
        return 0
    _show(planned)
    return 0


def _show(planned: Plan) -> None:
    """Print the loop nests of `planned` with what was proven of each."""
    core = planned.accelerator.core.name
    pattern = planned.accelerator.core.array.sparsity
    if pattern is not None:
        say(
            f"weights are taken as pruned to {pattern} along input channels; tiles hold whole groups of {pattern.group}"
        )
    for entry in planned.groups:
        for part in entry.parts:
            mapping, proof = part.mapping(core), part.found.certificate
            state = "optimal" if proof.proven_optimal else f"gap {proof.gap:.2%}"
            say(
                f"{mapping.layer}: {mapping.dataflow}, {proof.value:,.0f} ({proof.objective}), {state}, "
                f"{proof.candidates:,} mappings"
            )
            for depth, loop in enumerate(mapping.loops):
                held = "".join(f" [{role} tile below]" for role, cut in mapping.cuts if cut == depth)
                tail = f", last {loop.remainder}" if loop.remainder != loop.tile else ""
                say(f"  {'  ' * depth}for {loop.dim} in {loop.trips} tiles of {loop.tile}{tail}{held}")
            held = "".join(f" [{role} tile]" for role, cut in mapping.cuts if cut == len(mapping.loops))
            say(f"  {'  ' * len(mapping.loops)}folds of the array{held}")
        if not entry.parts:
            say(f"{entry.group.lead.name}: {entry.group.kind}")

"""``tilewright map WORKLOAD``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import arch_options, common, dim_options, emit_json, parse_dims, save_json, say


@click.command("map")
@click.argument("workload")
@click.option("--objective", default="latency", show_default=True, help="latency, energy or edp.")
@click.option(
    "--commands",
    "commands",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Also write the lowered command list to this .json file; `tilewright verify FILE` runs it on the RTL.",
)
@arch_options
@dim_options
@common
def command(
    workload: str,
    objective: str,
    commands: Path | None,
    arch: str,
    overrides: tuple[str, ...],
    dims: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Print the loop nest of every mapped layer with its cost model, value, bound and gap.

    -o FILE writes the plan with tensor placement; `tilewright sim --plan FILE` simulates exactly it.
    """
    from tilewright.api import map_network
    from tilewright.plan_file import plan_data
    from tilewright.sources import load_workload

    sizes = parse_dims(dims)
    loaded = load_workload(workload, sizes)
    plan = map_network(loaded, arch, objective, overrides=overrides)
    core = plan.accelerator.core.name
    data = plan_data(plan, workload, loaded.sha256, arch, sizes, overrides)
    save_json(output, "plan.json", data)
    if commands is not None:
        from tilewright.command_list import command_data

        save_json(commands, "commands.json", command_data(plan, workload, loaded.sha256, arch, sizes, overrides))
    if as_json:
        emit_json(data)
        return 0
    pattern = plan.accelerator.core.array.sparsity
    if pattern is not None:
        say(
            f"weights are taken as pruned to {pattern} along input channels; tiles hold whole groups of {pattern.group}"
        )
    for entry in plan.groups:
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
    return 0

"""``tilewright map WORKLOAD``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import arch_options, common, dim_options, emit_json, parse_dims, say


@click.command("map")
@click.argument("workload")
@click.option("--objective", default="latency", show_default=True, help="latency, energy or edp.")
@arch_options
@dim_options
@common
def command(
    workload: str,
    objective: str,
    arch: str,
    overrides: tuple[str, ...],
    dims: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Print the loop nest of every mapped layer with its cost model, value, bound and gap."""
    import json

    from tilewright.api import map_network, mapping_data
    from tilewright.cli.sim import check_targets

    check_targets(None, None, output)
    plan = map_network(workload, arch, objective, parse_dims(dims), overrides)
    core = plan.accelerator.core.name
    layers = [
        {"name": entry.group.lead.name, "fused": list(entry.group.names), "mapping": mapping_data(entry, core)}
        for entry in plan.groups
    ]
    data = {
        "schema": "tilewright.plan/1",
        "workload": workload,
        "arch": arch,
        "arch_sha256": plan.accelerator.sha256,
        "objective": objective,
        "layers": layers,
        "commands": len(plan.program.commands),
    }
    if output is not None:
        output.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    if as_json:
        emit_json(data)
        return 0
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

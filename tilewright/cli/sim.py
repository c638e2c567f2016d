"""``tilewright sim WORKLOAD``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.options import arch_options, common, dim_options, emit_json, file_target, note, parse_dims, say

if TYPE_CHECKING:
    from tilewright.api import Simulation


@click.command("sim")
@click.argument("workload")
@click.option("--objective", default="latency", show_default=True, help="latency, energy or edp.")
@click.option("--fidelity", default="event", show_default=True, help="event or analytic.")
@click.option(
    "--trace", type=click.Path(path_type=Path), default=None, help="Write a Perfetto trace (.json, .json.gz)."
)
@click.option(
    "--report", "report_dir", type=click.Path(path_type=Path), default=None, help="Write report, plots, tables."
)
@click.option(
    "--plan", type=click.Path(path_type=Path), default=None, help="Use the mappings and placement of a plan (map -o)."
)
@click.option("--execution", default=None, help="On a cluster: layers, split, fused, pipeline or batch.")
@click.option("--items", type=int, default=1, show_default=True, help="Inputs in a row, for pipeline and batch.")
@click.option("--fifo-places", type=int, default=None, help="Most places of a FIFO of a pipeline. [default: enough]")
@click.option(
    "--plan-tensors",
    "tensors",
    default=None,
    help="What stays in a shared scratchpad: ilp, joint, none, cosma, belady, lru, greedy or arena.",
)
@click.option("--operators", default=None, help="Cycles of a cluster's operators: tiles (commands) or closed.")
@click.option("--no-fast-forward", "in_full", is_flag=True, help="Step every tile and burst; same result.")
@arch_options
@dim_options
@common
def command(
    workload: str,
    objective: str,
    fidelity: str,
    trace: Path | None,
    report_dir: Path | None,
    plan: Path | None,
    execution: str | None,
    items: int,
    fifo_places: int | None,
    tensors: str | None,
    operators: str | None,
    in_full: bool,
    arch: str,
    overrides: tuple[str, ...],
    dims: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Map and simulate WORKLOAD: a built-in network, an .onnx model, or a SCALE-Sim .csv with a .cfg machine.

    -o FILE writes the result file; --report DIR writes an HTML report with plots.
    """
    from tilewright.api import OBJECTIVES, check_choice, simulate
    from workloads.errors import InputError

    output = file_target(output, "result.json")
    check_targets(trace, report_dir, output)
    from tilewright.cli.network import run_cluster, wants_cluster

    if not arch.lower().endswith(".cfg") and wants_cluster(arch, execution, tensors, items, fifo_places, operators):
        if plan or in_full or fidelity != "event":
            raise InputError(
                f"arch '{arch}': --plan, --no-fast-forward, --fidelity analytic do not go with a cluster; omit them"
            )
        return run_cluster(
            *(workload, arch, execution, items, fifo_places, tensors, operators, objective),
            *(overrides, dims, as_json, output, trace, report_dir),
        )
    if arch.lower().endswith(".cfg") or workload.lower().endswith(".csv"):
        from tilewright.cli.scalesim import run_scalesim

        if trace or report_dir or overrides or dims or plan or in_full:
            raise InputError(
                f"workload '{workload}': --trace, --report, --plan, --no-fast-forward, --set, --dim do not go with a "
                f".cfg machine"
            )
        check_choice(objective, OBJECTIVES, "objective")
        return run_scalesim(workload, arch, fidelity, as_json, output, seed)

    if trace is not None and fidelity != "event":
        raise InputError("--trace: an analytic run has no events; use --fidelity event")
    if in_full and fidelity != "event":
        raise InputError("--no-fast-forward: an analytic run steps nothing; use --fidelity event")
    result = simulate(workload, arch, objective, fidelity, parse_dims(dims), overrides, seed, plan, not in_full)
    data = result.to_json()
    if output is not None:
        result.result.write_json(output)
    if trace is not None:
        result.trace(trace)
    written = result.report(report_dir) if report_dir is not None else []
    if as_json:
        emit_json(data)
        return 0
    print_result(result, data)
    for path in written:
        note(f"wrote {path}")
    return 0


def check_targets(trace: Path | None, report_dir: Path | None, output: Path | None) -> None:
    """Refuse targets that cannot be written before anything is computed."""
    from workloads.errors import InputError

    if trace is not None and not trace.name.endswith((".json", ".json.gz")):
        raise InputError(f"--trace '{trace}': a trace is .json or .json.gz; rename it")
    if report_dir is not None and report_dir.exists() and not report_dir.is_dir():
        raise InputError(f"--report '{report_dir}': is a file, a directory is needed; name another")
    for target in (trace, output):
        if target is not None and target.is_dir():
            raise InputError(f"output '{target}': is a directory, a file is needed; name a file in it")
        if target is not None and not target.parent.is_dir():
            raise InputError(f"output '{target}': directory '{target.parent}' does not exist; make it first")


def print_result(result: Simulation, data: dict[str, Any]) -> None:
    """Print the table per layer and the totals."""
    from tilewright.cli.tables import PlainTable

    numbers = ("MACs", "cycles", "analytic", "compute", "stall", "util. %", "energy uJ", "DRAM KiB")
    manifest = data["manifest"]
    table = PlainTable(
        ("layer", "op", *(f">{name}" for name in numbers), "main stall", "mapping"),
        f"{manifest['workload']} on {manifest['arch']} ({manifest['fidelity']})",
    )
    for layer in data["layers"]:
        stalls = {cause: count for cause, count in layer["stall_cycles"].items() if count}
        dram = layer["traffic_bytes"].get("dram", {}).values()
        proof = "" if layer["gap"] is None else "optimal" if layer["proven_optimal"] else f"gap {layer['gap']:.1%}"
        table.row(
            layer["name"] + (f" +{len(layer['fused'])}" if layer["fused"] else ""),
            layer["op"],
            f"{layer['macs']:,}" if layer["macs"] else "",
            f"{layer['cycles']:,}",
            f"{layer['analytic_cycles']:,}",
            f"{layer['compute_cycles']:,}",
            f"{sum(stalls.values()):,}",
            f"{100 * layer['utilisation']:.1f}" if layer["macs"] else "",
            f"{sum(layer['energy_pj'].values()) / 1e6:,.1f}",
            f"{sum(flow['read'] + flow['write'] for flow in dram) / 1024:,.0f}",
            max(stalls, key=lambda cause: (stalls[cause], cause)) if stalls else "",
            proof,
        )
    table.print()
    totals, bounds = data["totals"], data["bounds"]
    say(f"cycles         {totals['cycles']:,}  ({totals['time_s'] * 1e3:,.3f} ms)")
    say(
        f"lower bound    {bounds['lower_bound_cycles']:,}  "
        f"(array {bounds['compute_cycles']:,}, DRAM {bounds['dram_cycles']:,}, vector {bounds['vector_cycles']:,})"
    )
    say(f"MACs           {totals['macs']:,}  (array utilisation {totals['utilisation']:.1%})")
    pattern = manifest.get("machine", {}).get("weight_pattern")
    if pattern is not None:
        say(f"weights        taken as pruned to {pattern} along input channels; MACs are those that remain")
    say(f"energy         {totals['energy_pj'] / 1e9:,.3f} mJ")
    say(f"DRAM           {totals['dram_read_bytes']:,} B read, {totals['dram_write_bytes']:,} B written")
    passed = sum(check["ok"] for check in data["checks"])
    say(
        f"checks         {passed} of {len(data['checks'])} passed; "
        f"{len(data['not_modelled'])} things not modelled (--json lists both)"
    )

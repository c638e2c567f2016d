"""``tilewright explain RESULT [LAYER]``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, save_json, say


@click.command("explain")
@click.argument("result_path", metavar="RESULT", type=click.Path(path_type=Path))
@click.argument("layer", required=False)
@common
def command(result_path: Path, layer: str | None, as_json: bool, output: Path | None, seed: int, debug: bool) -> int:
    """Say where the cycles of RESULT (or of one LAYER) went, and what would help most.

    Of a network on a cluster, LAYER is an operator or a core, and cycles are counted per core.
    """
    from tilewright.results import REMEDIES, SCHEMA, read_any_result, split

    result = read_any_result(result_path)
    if result["schema"] != SCHEMA:
        from tilewright.cli.network_results import explain

        return explain(result, layer, as_json, output)
    parts = split(result, layer)
    total = sum(parts.values())
    stalls = [cause for cause in parts if cause != "compute" and parts[cause]]
    bound = result["bounds"]["lower_bound_cycles"] if layer is None else None
    data = {
        "schema": "tilewright.explain/1",
        "layer": layer,
        "cycles": total,
        "parts": parts,
        "lower_bound_cycles": bound,
        "remedy": REMEDIES.get(stalls[0]) if stalls else None,
    }
    save_json(output, "explain.json", data)
    if as_json:
        emit_json(data)
        return 0
    say(f"{layer or result['manifest']['workload']}: {total:,} cycles")
    for cause, count in parts.items():
        say(f"  {cause:<14}{count:>16,}  {count / total if total else 0:7.1%}")
    if bound is not None:
        say(f"lower bound of these commands in any order: {bound:,} cycles ({bound / total:.1%} of the result)")
    pattern = result["manifest"].get("machine", {}).get("weight_pattern")
    if pattern is not None:
        say(f"weights are taken as pruned to {pattern} along input channels; MACs are those that remain")
    if stalls:
        say(f"largest stall: {stalls[0]}; {REMEDIES.get(stalls[0], 'no single remedy known')}")
    return 0

"""``tilewright place GRAPH``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tilewright.cli.options import checked_target, common, dim_options, emit_json, note, parse_dims, save_json, say
from workloads.errors import InputError

if TYPE_CHECKING:
    from mappers.placement.answer import Placement
    from mappers.placement.graph import TensorGraph


@click.command("place")
@click.argument("graph")
@click.option("--scratchpad-bytes", type=int, default=None, help="Capacity of the scratchpad, in bytes.")
@click.option("--sizes", is_flag=True, help="Place nothing; print M_R, M_H and M_P, the scratchpads to judge by.")
@click.option("--schedule", default="free", show_default=True, help="free, or fixed: the listed order.")
@click.option("--policy", default="ilp", show_default=True, help="ilp, belady, lru, greedy or arena.")
@click.option("--parameters", is_flag=True, help="Of a network: weights take part, not activations alone.")
@click.option("--time-limit", type=float, default=60.0, show_default=True, help="Seconds; then the best so far.")
@click.option("--solver", default="highs", show_default=True, help="highs or cbc.")
@click.option(
    "--lp",
    "lp_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Also write the integer program to this file, in LP format.",
)
@dim_options
@common
def command(
    graph: str,
    scratchpad_bytes: int | None,
    sizes: bool,
    schedule: str,
    policy: str,
    parameters: bool,
    time_limit: float,
    solver: str,
    lp_file: Path | None,
    dims: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Place the tensors of GRAPH in a scratchpad: order, addresses, spills and retrieves, with a bound.

    GRAPH is a tensor graph (.json), a built-in network or an .onnx file. Ctrl-C gives the best plan so far.
    """
    from tilewright.placing import load_graph, place

    if sizes == (scratchpad_bytes is not None):
        raise InputError(
            "place: --scratchpad-bytes and --sizes: give one of them, --scratchpad-bytes N to place or --sizes to see "
            "which N make sense"
        )
    target = checked_target(output, "placement.json" if scratchpad_bytes is not None else "sizes.json")
    loaded = load_graph(graph, parse_dims(dims), parameters)
    if scratchpad_bytes is None:
        return _print_sizes(loaded, time_limit, as_json, target)
    with _interrupt() as stop:
        answer = place(
            loaded,
            scratchpad_bytes,
            schedule=schedule,
            policy=policy,
            time_limit_s=time_limit,
            solver=solver,
            lp_file=lp_file,
            stop=stop,
        )
    save_json(target, "placement.json", answer.to_json())
    if as_json:
        emit_json(answer.to_json())
    else:
        _print(loaded, answer)
    return 0


@contextmanager
def _interrupt() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into a flag; a second one ends the program."""
    pressed: list[bool] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def handle(number: int, frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(True)
        note("interrupted: finishing with the best plan so far; press again to end at once")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _print_sizes(graph: TensorGraph, time_limit_s: float, as_json: bool, output: Path | None) -> int:
    """Print the sizes of interest of `graph`."""
    from mappers.placement.budget import Budget
    from mappers.placement.sizes import scratchpad_sizes
    from mappers.solver import SolveOptions

    with _interrupt() as stop:
        found = scratchpad_sizes(graph, Budget(SolveOptions(time_limit_s=time_limit_s).time_limit_s, stop))
    data = {
        "schema": "tilewright.placement_sizes/1",
        "graph": graph.name,
        "operators": len(graph.operators),
        "tensors": len(graph.tensors),
        **asdict(found),
        "middle_bytes": found.middle_bytes,
    }
    save_json(output, "sizes.json", data)
    if as_json:
        emit_json(data)
        return 0
    least, bound = found.least_peak_bytes, found.least_peak_bound_bytes
    state = "proven" if least == bound else f"not proven, at least {bound:,}"
    say(f"{graph.name}: {len(graph.operators)} operators, {len(graph.tensors)} tensors")
    say(f"M_R {found.widest_operator_bytes:>16,} bytes  the widest operator; below it there is no plan")
    say(f"M_H {found.middle_bytes:>16,} bytes  half way")
    say(f"M_P {least:>16,} bytes  least peak over all orders ({state})")
    say(f"    {found.contiguous_peak_bytes:>16,} bytes  contiguous addresses in that order")
    say(f"    {found.listed_peak_bytes:>16,} bytes  peak of the listed order")
    return 0


def _print(graph: TensorGraph, answer: Placement) -> None:
    from mappers.placement.interpreter import replay

    run = replay(graph, answer.plan)
    state = "proven optimal" if answer.proven_optimal else f"gap {answer.gap:.2%}"
    size = f"{len(graph.operators)} operators, {len(graph.tensors)} tensors"
    say(f"{graph.name}: {size}, policy {answer.policy}, schedule {answer.schedule}")
    say(f"scratchpad {answer.scratchpad_bytes:,} bytes, peak used {max(run.top_bytes):,}")
    say(
        f"traffic {answer.objective_bytes:,} bytes (spilled {run.spilled_bytes:,}, "
        f"retrieved {run.retrieved_bytes:,}), bound {answer.lower_bound_bytes:,}: {state}"
    )
    ended = f" (stopped: {answer.stopped})" if answer.stopped else ""
    say(f"found by: {answer.method}{ended}, {answer.seconds:.2f} s")
    for t, step in enumerate(answer.plan.steps):
        moved = [f"spill {name}" for name in step.spill] + [f"retrieve {name}" for name in step.retrieve]
        if moved:
            say(f"  step {t} {step.operator}: {', '.join(moved)}")

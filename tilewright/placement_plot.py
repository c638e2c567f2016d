"""A picture of a placement: what lies where over time, the bytes it takes, and the scratchpad's capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappers.placement.interpreter import replay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mappers.placement.answer import Placement
    from mappers.placement.graph import TensorGraph

MIB = 1 << 20
_FACES = ("#4c78a8", "#72b7b2", "#9ecae9", "#54a24b", "#b79a20", "#d6a5c9", "#bab0ac", "#83bcb6")


def memory_figure(graph: TensorGraph, answer: Placement) -> Figure:
    """Return a figure of two panels over the steps: addresses above, resident bytes and traffic below.

    Parameters
    ----------
    graph : TensorGraph
    answer : Placement
        Of that graph.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _addresses(above, graph, answer)
    _bytes(below, graph, answer)
    state = "proven optimal" if answer.proven_optimal else f"gap {answer.gap:.1%}"
    figure.suptitle(
        f"{graph.name}, {answer.policy}, schedule {answer.schedule}: {answer.objective_bytes / MIB:.3f} MiB "
        f"spilled and retrieved in a scratchpad of {answer.scratchpad_bytes / MIB:.3f} MiB ({state})",
        fontsize=11,
    )
    return figure


def _addresses(axes: Axes, graph: TensorGraph, answer: Placement) -> None:
    """Draw a box per stay: steps by addresses."""
    size = {tensor.name: tensor.size_bytes for tensor in graph.tensors}
    first: dict[str, tuple[int, int]] = {}
    steps = answer.plan.steps
    for t in range(len(steps) + 1):
        staying = steps[t].preserve if t < len(steps) else ()
        for name in sorted(set(first) - set(staying)):
            begin, address = first.pop(name)
            axes.broken_barh(
                [(begin - 0.5, t - begin)],
                (address / MIB, size[name] / MIB),
                facecolors=_FACES[sum(name.encode()) % len(_FACES)],
                edgecolors="white",
                linewidth=0.4,
            )
        if t < len(steps):
            first |= {n: (t, a) for n, a in steps[t].addresses.items() if n not in first}
    axes.axhline(answer.scratchpad_bytes / MIB, color="#e45756", linewidth=1.5)
    axes.set_ylabel("address (MiB)")
    axes.set_ylim(0, 1.06 * answer.scratchpad_bytes / MIB)


def _bytes(axes: Axes, graph: TensorGraph, answer: Placement) -> None:
    """Draw resident bytes per step, the capacity, and what is spilled and retrieved."""
    size = {tensor.name: tensor.size_bytes for tensor in graph.tensors}
    run = replay(graph, answer.plan)
    ticks = range(len(run.occupied_bytes))
    axes.step(ticks, [n / MIB for n in run.occupied_bytes], where="mid", color="#4c78a8", label="resident")
    axes.axhline(answer.scratchpad_bytes / MIB, color="#e45756", linewidth=1.5, label="capacity")
    spilled = [sum(size[n] for n in step.spill) / MIB for step in answer.plan.steps]
    back = [sum(size[n] for n in step.retrieve) / MIB for step in answer.plan.steps]
    axes.bar([t - 0.2 for t in ticks], spilled, width=0.4, color="#f58518", label="spilled")
    axes.bar([t + 0.2 for t in ticks], back, width=0.4, color="#54a24b", label="retrieved")
    axes.set_xlabel("step (one operator each)")
    axes.set_ylabel("MiB")
    axes.set_ylim(0, 1.12 * answer.scratchpad_bytes / MIB)
    axes.set_xlim(-0.5, len(run.occupied_bytes) - 0.5)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)

"""The pass engine against a recurrence in plain Python, and laws of every run."""

from __future__ import annotations

import itertools
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from mappers.passes.plan import LayerPasses, StageSpec, shares
from sim.passes import run_passes
from tests.reference.profile import examples


@st.composite
def plans(draw: st.DrawFn, shared: bool) -> LayerPasses:
    """Return a plan of up to four stages; with `shared`, stages may share resources."""
    depth = draw(st.integers(1, 4))
    resources = [draw(st.sampled_from("ab")) if shared else f"r{i}" for i in range(depth)]
    stages = tuple(StageSpec(f"s{i}", resources[i], draw(st.integers(1, 4))) for i in range(depth))
    count = draw(st.integers(1, 12))
    work = tuple(tuple(draw(st.integers(0, 9)) for _ in range(depth)) for _ in range(count))
    return LayerPasses("x", 1, stages, work, {}, draw(st.integers(0, 7)))


def naive(plan: LayerPasses) -> int:
    """Return the end of a plan whose stages share nothing: one line per rule of the engine."""
    depth, end = len(plan.stages), {}
    for i, work in enumerate(plan.work_cycles):
        for s in range(depth):
            start = end.get((i - 1, s), 0)
            if s:
                start = max(start, end[i, s - 1] + (plan.latency_cycles if s == 1 else 0))
            if s < depth - 1:
                start = max(start, end.get((i - plan.stages[s].buffers, s + 1), 0))
            end[i, s] = start + work[s]
        # A later stage of this pass never changes an earlier stage of it: buffers look back one pass at least.
    return max(end[len(plan.work_cycles) - 1, s] for s in range(depth))


@given(plans(shared=False))
@settings(max_examples=examples(80), deadline=None)
def test_a_run_ends_where_the_recurrence_says(plan: LayerPasses) -> None:
    assert run_passes(plan).cycles == naive(plan)


@given(plans(shared=True))
@settings(max_examples=examples(80), deadline=None)
def test_shared_resources_serve_one_at_a_time_and_parts_sum(plan: LayerPasses) -> None:
    run = run_passes(plan)
    assert run.compute_cycles + sum(run.stall_cycles.values()) == run.cycles >= run.bound_cycles
    taken: dict[str, list[tuple[int, int]]] = {}
    for row in run.spans:
        for stage, (start, end) in zip(plan.stages, row, strict=True):
            taken.setdefault(stage.resource, []).append((start, end))
    for spans in taken.values():
        busy = sorted(span for span in spans if span[0] < span[1])
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(busy))


@given(st.integers(0, 10**6), st.integers(1, 97), st.lists(st.integers(0, 50), min_size=1, max_size=40))
@settings(max_examples=examples(80), deadline=None)
def test_shares_sum_to_the_ceiling(above: int, below: int, weights: list[int]) -> None:
    weights = [*weights, 1]
    total = Fraction(above, below)
    parts = shares(total, weights)
    assert sum(parts) == -(-above // below)
    assert all(part >= 0 for part in parts)
    assert all(abs(part - total * weight / sum(weights)) <= 1 for part, weight in zip(parts, weights, strict=True))

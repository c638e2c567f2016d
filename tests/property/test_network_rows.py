"""Stripes of rows against sets of rows: what is needed is made, nothing is made twice, line buffers are exact.

Test classes: stripes of random stacks; line buffers; costs of stripes; the whole of a real network.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.cluster_description import load_cluster
from mappers.network.fuse import Stack, make_stack, staged
from mappers.network.graph import OperatorGraph, make_graph
from mappers.network.rows import StripeCosts, row_operator
from tests.reference.profile import examples
from workloads.builder import NetworkBuilder

CORE = load_cluster("quad_edge").cores[0]


@st.composite
def graphs(draw: st.DrawFn) -> OperatorGraph:
    """Draw a chain of convolutions and poolings of random windows, sometimes with a residual, on a small image."""
    b = NetworkBuilder("stack", "test")
    x = b.input("image", (1, 4, draw(st.integers(12, 30)), 9))
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("conv", "conv", "pool", "residual")))
        taps = draw(st.sampled_from((1, 3, 5)))
        stride = draw(st.integers(1, 2))
        if kind == "pool" and b.shape(x)[2] > 3:
            x = b.max_pool(x, 3, (stride, 1), 1)
        elif kind == "residual":
            x = b.relu(b.add(b.conv(b.relu(b.conv(x, 4, taps, padding=taps // 2)), 4, 3, padding=1), x))
        elif b.shape(x)[2] >= taps:
            x = b.conv(x, 4, taps, stride=(stride, 1), padding=(draw(st.integers(0, taps // 2)), taps // 2))
    if x == "image":
        x = b.conv(x, 4, 1)
    return make_graph(b.build(x), CORE)


def rows_of(stack: Stack) -> dict[str, list[range]]:
    """Return the rows of each tensor that come with each stripe."""
    return {
        name: [range(ends[k - 1] if k else 0, ends[k]) for k in range(len(ends))] for name, ends in stack.ends.items()
    }


class TestStripes:
    @settings(max_examples=examples(25), deadline=None)
    @given(graphs(), st.integers(1, 9))
    def test_needs_are_made_before_and_every_row_once(self, graph: OperatorGraph, stripes: int) -> None:
        stack = make_stack(graph, graph.operators, 0, stripes)
        assert stack is not None
        come = rows_of(stack)
        for name in stack.leaving:
            assert [row for part in come[name] for row in part] == list(range(graph.network.tensor(name).shape[2]))
        for k in range(stack.stripes):
            for rows in stack.rows:
                part = come[rows.op.output][k]
                for row in part:
                    for source, (low, high) in rows.need(row, row + 1).items():
                        there = {r for stripe in come[source][: k + 1] for r in stripe}
                        assert set(range(low, high)) <= there

    @settings(max_examples=examples(25), deadline=None)
    @given(graphs(), st.integers(2, 9), st.integers(0, 2))
    def test_line_buffers_hold_what_a_naive_count_says(self, graph: OperatorGraph, stripes: int, apart: int) -> None:
        """With makers as far ahead as they may be, the rows still needed and those made are counted one by one."""
        bare = make_stack(graph, graph.operators, 0, stripes)
        assert bare is not None
        stage = {op.name: place * apart for place, op in enumerate(graph.operators)}
        stack = staged(graph, bare, stage)
        come, makers = rows_of(stack), {rows.op.output: rows.op.name for rows in stack.rows}
        for name in stack.ends:
            readers = [rows for rows in stack.rows if name in rows.op.inputs]
            if not readers:
                continue
            here = stage[makers[name]] if name in makers else min(stage.values())
            ahead = max(stage[rows.op.name] - here + 1 for rows in readers)
            most = 0
            for k in range(stack.stripes):
                low = [
                    rows.need(part.start, part.stop)[name]
                    for rows in readers
                    if (part := come[rows.op.output][k]) and name in rows.need(part.start, part.stop)
                ]
                spans = [span for span in low if span[1] > span[0]]
                if spans:
                    reached = stack.ends[name][min(k + ahead, stack.stripes - 1)]
                    most = max(most, reached - min(span[0] for span in spans))
            height = graph.network.tensor(name).shape[2]
            row_bytes = graph.bytes_of[name] // height
            if most:
                assert stack.line_bytes[name] == min(most, height) * row_bytes


class TestCosts:
    @settings(max_examples=examples(6), deadline=None)
    @given(graphs())
    def test_stripes_cost_no_less_than_the_whole_array_time(self, graph: OperatorGraph) -> None:
        costs = StripeCosts(graph)
        for op in graph.operators:
            rows = row_operator(graph, op)
            assert rows is not None
            half = rows.height // 2
            if half:
                parts = [costs.stripe(rows, CORE, 0, half), costs.stripe(rows, CORE, half, rows.height)]
                least = -(-op.macs // CORE.core.array.pes)
                assert sum(part.cycles for part in parts if part) >= least
                assert sum(part.weight_bytes for part in parts if part) >= (2 * op.weight_bytes if op.macs else 0)

"""Sweep specification, store, Pareto front and resumption, without a simulator."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tilewright.sweeps.run import pareto_front, run_sweep, table, write_csv
from tilewright.sweeps.spec import Point, parse_spec
from tilewright.sweeps.store import SqliteStore
from workloads.errors import InputError

TREE: dict[str, Any] = {
    "workloads": ["resnet18", "lenet"],
    "grid": {"core.rows": [16, 32], "dram.bandwidth": ["6.4GB/s", "12.8GB/s"]},
    "dims": {"batch": [1, 2]},
}


class FakeExecutor:
    """Answers with metrics derived from the point; stops after `limit` points as a killed run does."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.ran: list[str] = []

    def run(self, points: Sequence[tuple[str, Point]]) -> Iterator[tuple[str, Point, dict[str, Any]]]:
        for index, (identity, point) in enumerate(reversed(points)):
            if self.limit is not None and index >= self.limit:
                raise KeyboardInterrupt
            self.ran.append(identity)
            draw = random.Random(identity)
            metrics = {
                name: draw.randrange(1, 9) for name in ("cycles", "energy_pj", "time_s", "macs", "edp", "dram_bytes")
            }
            metrics |= {"utilisation": draw.random(), "peak_scratchpad_bytes": 1}
            yield identity, point, {"status": "ok", "metrics": metrics}


def test_points_are_the_product_in_the_order_of_the_specification() -> None:
    points = parse_spec(TREE, "s.yaml", Path()).points()
    assert len(points) == 2 * 2 * 2 * 2
    assert points[0].overrides == (("core.rows", "16"), ("dram.bandwidth", "6.4GB/s"))
    assert [p.workload for p in points] == ["resnet18"] * 8 + ["lenet"] * 8
    assert [dict(p.dims)["batch"] for p in points[:4]] == [1, 2, 1, 2]


def test_all_mistakes_of_a_specification_are_reported_together() -> None:
    tree = {
        "workload": ["a"],
        "objectives": ["speed"],
        "grid": {"core.rows": []},
        "dims": {"batch": [0]},
        "pareto": ["cycles"],
    }
    with pytest.raises(InputError) as caught:
        parse_spec(tree, "s.yaml", Path())
    text = str(caught.value)
    for part in (
        "key 'workload'",
        "did you mean 'workloads'",
        "objectives 'speed'",
        "grid.core.rows",
        "dims.batch",
        "names 1 metrics",
    ):
        assert part in text


def test_a_grid_beyond_the_bound_is_refused_before_it_is_built() -> None:
    tree = {"workloads": ["a"], "grid": {f"x{i}": list(range(100)) for i in range(6)}}
    with pytest.raises(InputError, match=r"the grid has 1000000000000 points, bound is 1000000"):
        parse_spec(tree, "s.yaml", Path())


def test_identity_depends_on_every_input_the_version_and_file_content() -> None:
    base = Point("net.onnx", "edge_int8", "latency", "event", (("a", "1"),), (("batch", 1),))
    others = [
        Point("net2.onnx", *(getattr(base, n) for n in ("arch", "objective", "fidelity", "overrides", "dims"))),
        Point("net.onnx", "tpu_v1", "latency", "event", (("a", "1"),), (("batch", 1),)),
        Point("net.onnx", "edge_int8", "energy", "event", (("a", "1"),), (("batch", 1),)),
        Point("net.onnx", "edge_int8", "latency", "analytic", (("a", "1"),), (("batch", 1),)),
        Point("net.onnx", "edge_int8", "latency", "event", (("a", "2"),), (("batch", 1),)),
        Point("net.onnx", "edge_int8", "latency", "event", (("a", "1"),), (("batch", 2),)),
    ]
    names = {point.identity("0.1.0", {}) for point in [base, *others]}
    names |= {base.identity("0.2.0", {}), base.identity("0.1.0", {"net.onnx": "ff"})}
    assert len(names) == len(others) + 3


def test_a_stopped_sweep_resumes_to_the_table_of_an_unbroken_one(tmp_path: Path) -> None:
    spec = parse_spec(TREE, "s.yaml", Path())
    with SqliteStore(tmp_path / "whole.sqlite") as store:
        whole = run_sweep(spec, store, FakeExecutor())
    for limit in (0, 1, 7, 15):
        path = tmp_path / f"cut{limit}.sqlite"
        with SqliteStore(path) as store, pytest.raises(KeyboardInterrupt):
            run_sweep(spec, store, FakeExecutor(limit))
        again = FakeExecutor()
        with SqliteStore(path) as store:
            resumed = run_sweep(spec, store, again)
        assert resumed.reused == limit
        assert len(again.ran) == 16 - limit
        assert resumed.rows == whole.rows
    write_csv(spec, whole, tmp_path / "whole.csv")
    write_csv(spec, resumed, tmp_path / "resumed.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "resumed.csv").read_bytes()


def test_pareto_front_equals_the_pairwise_definition() -> None:
    draw = random.Random(5)
    spec = parse_spec({"workloads": ["w"], "grid": {"x": list(range(40))}}, "s.yaml", Path())
    for _ in range(200):
        named = [(f"p{i}", point) for i, point in enumerate(spec.points())]
        known = {
            name: {"status": "ok", "metrics": {"cycles": draw.randrange(8), "energy_pj": draw.randrange(8)}}
            for name, _ in named
        }
        values = {name: (o["metrics"]["cycles"], o["metrics"]["energy_pj"]) for name, o in known.items()}
        naive = {
            a for a, (x, y) in values.items()
            if not any(u <= x and v <= y and (u, v) != (x, y) for u, v in values.values())
        }  # fmt: skip
        assert pareto_front(spec, named, known) == naive


def test_infeasible_points_are_rows_with_a_reason(tmp_path: Path) -> None:
    class Refusing(FakeExecutor):
        def run(self, points: Sequence[tuple[str, Point]]) -> Iterator[tuple[str, Point, dict[str, Any]]]:
            for identity, point in points:
                yield identity, point, {"status": "infeasible", "reason": "capacity[weight]"}

    spec = parse_spec(TREE, "s.yaml", Path())
    with SqliteStore(tmp_path / "s.sqlite") as store:
        header, rows = table(spec, run_sweep(spec, store, Refusing()))
    assert {row[header.index("status")] for row in rows} == {"infeasible"}
    assert {row[header.index("reason")] for row in rows} == {"capacity[weight]"}
    assert not any(row[header.index("pareto")] for row in rows)


def test_a_foreign_file_is_not_taken_for_a_store(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_text("this is not a database, but long enough to have a header" * 20)
    with pytest.raises(
        InputError, match=r"store '.*': file is not a database; name another directory or remove the file"
    ):
        SqliteStore(path)

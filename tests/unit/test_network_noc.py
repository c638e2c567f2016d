"""The network on chip of a cluster: times by hand, arbitration, one transfer for several cores, laws, bad input."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.cluster import Cluster
from hw_models.cluster_description import load_cluster
from hw_models.noc import NetworkOnChip
from mappers.network.program import Compute, NetworkProgram
from sim.network.engine import NetworkRun, run_network
from tests.reference.profile import examples
from tilewright.cli import run
from tilewright.networks import simulate_network

CLUSTER = load_cluster("quad_edge")
NOC = NetworkOnChip(16, 0, 64)
CAUSE = "network on chip"


def compute(core: int, cycles: int, read: int, **fields: object) -> Compute:
    task = Compute("op", f"core{core}", cycles, Fraction(1), 0, (), (), (), (), (), (), f"part {core}")
    return replace(task, port_in=(("x", read),), **fields)  # type: ignore[arg-type]


def times(tasks: list[Compute], noc: NetworkOnChip | None = NOC) -> NetworkRun:
    cluster: Cluster = replace(CLUSTER, noc=noc)
    return run_network(NetworkProgram("hand", cluster.name, tuple(tasks), (), 1 << 20), cluster)


class TestByHand:
    def test_a_core_alone_waits_where_its_bytes_take_longer(self) -> None:
        assert [s.end for s in times([compute(0, 100, 1600)]).spans] == [101], "the request is one cycle late"
        assert [s.end for s in times([compute(0, 100, 1584)]).spans] == [100]
        slow = times([compute(0, 10, 1600)]).spans[0]
        assert slow.end == 101 and slow.waits == {CAUSE: 91}

    def test_two_cores_take_bursts_in_turn_or_the_first_goes_first(self) -> None:
        both = [compute(0, 10, 1600), compute(1, 10, 1600)]
        assert [s.end for s in times(both).spans] == [197, 201], "four words each in turn"
        first = times(both, replace(NOC, arbitration="priority"))
        assert [s.end for s in first.spans] == [101, 201]

    def test_reads_and_writes_do_not_meet(self) -> None:
        made = times([compute(0, 10, 1600), compute(1, 10, 0, port_out=1600)])
        assert [s.end for s in made.spans] == [101, 101]
        assert made.noc is not None and made.noc.busy_cycles == (100, 100)

    def test_one_transfer_serves_all_parts_when_the_last_has_asked(self) -> None:
        late = compute(2, 50, 0)
        parts = [compute(core, 10, 1600, common=("x",)) for core in range(3)]
        tasks = [late, *parts]
        apart = times(tasks)
        cast = times(tasks, replace(NOC, multicast=True))
        assert [s.end for s in cast.spans[1:]] == [151, 151, 151], "50 cycles, the request, a hundred words"
        assert cast.noc is not None and (cast.noc.busy_cycles[0], cast.noc.joined_words) == (100, 200)
        assert apart.noc is not None and (apart.noc.busy_cycles[0], apart.noc.joined_words) == (300, 0)
        assert max(s.end for s in apart.spans) > 151


@settings(max_examples=examples(50), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 3000), st.integers(0, 60_000), st.integers(0, 9000)), max_size=6
    ),
    st.sampled_from([1, 16, 64]),
    st.booleans(),
)
def test_contention_costs_and_moves_every_word(
    drawn: list[tuple[int, int, int, int]], width: int, priority: bool
) -> None:
    tasks = [compute(core, cycles, read, port_out=out) for core, cycles, read, out in drawn]
    noc = NetworkOnChip(width, 0, 4 * width, "priority" if priority else "round_robin")
    made, free = times(tasks, noc), times(tasks, None)
    assert made.noc is not None
    assert made.noc.asked_bytes == (sum(d[2] for d in drawn), sum(d[3] for d in drawn))
    assert all(busy * width >= asked for busy, asked in zip(made.noc.busy_cycles, made.noc.asked_bytes, strict=True))
    assert made.cycles >= max(made.noc.busy_cycles)
    for task, own, alone in zip(tasks, made.spans, free.spans, strict=True):
        assert own.end >= alone.end
        assert own.end - own.ready == task.cycles + sum(own.waits.values())
    wide = times(tasks, NetworkOnChip(1 << 16, 0, 1 << 18))
    assert all(a.end - b.end <= 2 * 64 * len(tasks) for a, b in zip(wide.spans, free.spans, strict=True))


def test_a_description_says_all_of_it(tmp_path: Path) -> None:
    text = (files("hw_models.clusters") / "quad_edge.yaml").read_text(encoding="utf-8")
    path = tmp_path / "with_noc.yaml"
    noc = "noc: {width: 32B/cycle, delay: 2cycles, burst: 256B, arbitration: priority, multicast: true}\n"
    path.write_text(text + noc)
    cluster = load_cluster(str(path))
    assert cluster.noc == NetworkOnChip(32, 2, 256, "priority", True)
    assert cluster.cores[0].dram.bytes_per_cycle == 32, "no port is faster"
    assert cluster.cores[0].dram.latency_cycles == CLUSTER.cores[0].dram.latency_cycles + 2
    assert cluster.sha256 != CLUSTER.sha256 != replace(cluster, noc=NetworkOnChip(32, 2, 256)).sha256
    path.write_text(text + "noc: {width: 32B/cycle, delay: 2cycles}\n")
    assert load_cluster(str(path), ["noc.multicast=true"]).noc == NetworkOnChip(32, 2, 128, multicast=True)


def test_a_wide_one_changes_nothing_and_a_narrow_one_is_why_parts_share() -> None:
    def cycles(*noc: str) -> tuple[int, int]:
        made = simulate_network("lenet", "quad_edge", execution="split", tensors="none", overrides=noc).result
        return made.totals.cycles, 0 if made.noc is None else made.noc["joined_words"]

    free, _ = cycles()
    assert cycles("noc.width=512B/cycle", "noc.delay=0cycles") == (free, 0)
    narrow = cycles("noc.width=8B/cycle", "noc.delay=0cycles")
    shared = cycles("noc.width=8B/cycle", "noc.delay=0cycles", "noc.multicast=true")
    assert free < shared[0] < narrow[0] and shared[1] > 0


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["noc.width=64B/cycle"], "noc: key 'delay' is missing; add it"),
        (["noc.width=64B/cycle", "noc.delay=0cycles", "noc.burst=100B"], "bound is a multiple of width (64)"),
        (["noc.width=64B/cycle", "noc.delay=0cycles", "noc.arbitration=lottery"], "bound is round_robin or priority"),
        (["noc.width=64B/cycle", "noc.delay=0cycles", "noc.multicast=2"], "bound is true or false; choose one"),
        (["noc.width=0B/cycle", "noc.delay=0cycles"], "noc: "),
        (["noc.wide=64B/cycle"], "'noc.wide' is no part of quad_edge.yaml"),
    ],
)
def test_bad_input(keys: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for key in keys for word in ("--set", key)]
    assert run(["sim", "lenet", "--arch", "quad_edge", *words]) == 2
    assert says in capsys.readouterr().err

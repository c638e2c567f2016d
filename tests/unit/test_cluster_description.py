"""Clusters from presets, files, single-core descriptions and overrides; every message.

Test classes: presets; clocks; overrides; bad input.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_models.cluster_description import is_cluster, list_clusters, load_cluster
from hw_models.description import cluster_names
from workloads.errors import InputError

SMALL = """
name: two
summary: two cores
source: a test
cores:
  - {name: a, like: edge_int8}
  - {name: b, like: edge_int8, set: [core.rows=16]}
shared: {capacity: 64KiB, port: 32B/cycle, latency: 2cycles}
dram: {like: edge_int8}
"""


class TestPresets:
    @pytest.mark.parametrize("name", cluster_names())
    def test_every_core_sees_the_shared_scratchpad(self, name: str) -> None:
        cluster = load_cluster(name)
        assert is_cluster(name) and cluster.sources
        for core in cluster.cores:
            assert core.dram.name == "shared"
            assert core.dram.bytes_per_cycle == cluster.shared.port_bytes_per_cycle
            assert core.dram.latency_cycles == cluster.shared.latency_cycles
        assert cluster.dram.name != "shared"

    def test_rows(self) -> None:
        assert [name for name, _, _ in list_clusters()] == list(cluster_names())
        assert all(summary and source for _, summary, source in list_clusters())

    def test_a_single_core_is_a_cluster_of_one(self) -> None:
        cluster = load_cluster("edge_int8", ["core.rows=16", "shared.capacity=2MiB"])
        assert cluster.core_names == ["core0"] and cluster.cores[0].core.array.rows == 16
        assert cluster.shared.capacity_bytes == 2 << 20
        assert not is_cluster("edge_int8")

    def test_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "two.yaml"
        path.write_text(SMALL)
        cluster = load_cluster(str(path))
        assert is_cluster(str(path)) and cluster.macs_per_cycle == 32 * 32 + 16 * 32
        assert cluster.core("b").core.array.rows == 16


class TestClocks:
    def test_a_channel_stays_what_it_is_beside_cores_of_another_clock(self) -> None:
        plain = load_cluster("quad_edge").dram
        slow = load_cluster("quad_edge", ["cores.clock.frequency=200MHz"]).dram
        # 64 bytes and 40 cycles at 400 MHz are 25.6 GB/s and 100 ns; at 200 MHz 128 bytes and 20 cycles
        assert (plain.bytes_per_cycle, plain.latency_cycles, plain.clock) == (64, 40, None)
        assert (slow.bytes_per_cycle, slow.latency_cycles, slow.own_latency_cycles) == (128, 20, 40)
        assert slow.clock is not None and (slow.clock.mhz, slow.clock.ratio) == (400, 2)
        timed = [
            load_cluster("quad_edge", ["dram.standard=DDR4-2400", f"cores.clock.frequency={mhz}MHz"])
            for mhz in (400, 200)
        ]
        assert len({cluster.dram.bytes_per_cycle * cluster.clock_mhz for cluster in timed}) == 1

    def test_a_time_on_chip_is_of_the_clock_of_the_cores(self) -> None:
        cores = ["cores.clock.frequency=200MHz", "shared.latency=20ns", "noc.width=64B/cycle", "noc.delay=10ns"]
        cluster = load_cluster("quad_edge", cores)
        assert cluster.noc is not None
        assert (cluster.shared.latency_cycles, cluster.noc.latency_cycles) == (4, 2)

    def test_the_hash_knows_every_figure_of_the_channel(self) -> None:
        timed = ["dram.standard=DDR4-2400"]
        changes = ([], timed, [*timed, "dram.refresh=false"], [*timed, "dram.ranks=2"], ["dram.arbitration=priority"])
        assert len({load_cluster("quad_edge", change).sha256 for change in changes}) == len(changes)


class TestOverrides:
    def test_of_one_core_and_of_all(self) -> None:
        one = load_cluster("quad_edge", ["core2.core.rows=8"])
        assert [core.core.array.rows for core in one.cores] == [32, 32, 8, 32]
        every = load_cluster("quad_edge", ["cores.core.rows=8", "outstanding=2"])
        assert [core.core.array.rows for core in every.cores] == [8] * 4 and every.outstanding == 2

    def test_of_the_channel_change_the_hash(self) -> None:
        slow = load_cluster("quad_edge", ["dram.bandwidth=3.2GB/s"])
        assert slow.dram.bytes_per_cycle == 8 and slow.sha256 != load_cluster("quad_edge").sha256


class TestBadInput:
    def check(self, text: str, tmp_path: Path, match: str) -> None:
        path = tmp_path / "bad.yaml"
        path.write_text(text)
        with pytest.raises(InputError, match=match):
            load_cluster(str(path))

    def test_keys(self, tmp_path: Path) -> None:
        self.check(SMALL.replace("capacity", "capcity"), tmp_path, r"shared: key 'capcity' is unknown")
        self.check(SMALL.replace("dram: {like: edge_int8}", ""), tmp_path, r"dram: is missing or no mapping; give like")
        self.check(SMALL.replace("name: b", "name: a"), tmp_path, r"two cores are called 'a'; rename one$")

    def test_kinds_of_values(self, tmp_path: Path) -> None:
        self.check(SMALL.replace("[core.rows=16]", "5"), tmp_path, r"cores: set is 5, a list of PATH=VALUE is needed")
        self.check(SMALL.replace("name: b", "name: [b]"), tmp_path, r"cores: name is \['b'\], a text is needed")
        self.check(SMALL.replace("name: two", "name: 2"), tmp_path, r"name is 2, a text is needed; correct it$")
        self.check(SMALL.replace("dram: {like: edge_int8}", "dram: {like: 7}"), tmp_path, r"dram: like is 7, a text")
        self.check(SMALL.replace("b, like: edge_int8", "b, like: quad_edge"), tmp_path, r"'quad_edge': is a cluster of")

    def test_quantities(self, tmp_path: Path) -> None:
        self.check(SMALL.replace("64KiB", "64"), tmp_path, r"shared: '64' has no unit; add one of B, KB")
        self.check(SMALL.replace("64KiB", "0B"), tmp_path, r"capacity is 0, bound is >= 1")

    def test_clocks_differ(self, tmp_path: Path) -> None:
        text = SMALL.replace("set: [core.rows=16]", "set: ['clocks.frequency=200MHz']")
        self.check(text, tmp_path, r"clock_mhz of its cores is 200.0, 400.0, bound is one; make it equal$")

    def test_overrides(self) -> None:
        with pytest.raises(InputError, match=r"^--set core9\.rows=3: 'core9\.rows' is no part of quad_edge\.yaml"):
            load_cluster("quad_edge", ["core9.rows=3"])
        with pytest.raises(InputError, match=r"^--set shared: there is no '='; write PATH=VALUE$"):
            load_cluster("quad_edge", ["shared"])

    def test_an_unknown_name_is_held_against_cores_and_clusters(self) -> None:
        with pytest.raises(InputError, match=r"accelerator 'quad_edg' is unknown; did you mean 'quad_edge'\?"):
            load_cluster("quad_edg")
        with pytest.raises(InputError, match=r"zu3eg_int8, or of the clusters .*quad_edge"):
            load_cluster("zzzz")

    def test_what_is_not_simulated_in_a_cluster(self) -> None:
        with pytest.raises(InputError, match=r"no core 'core7'; did you mean"):
            load_cluster("quad_edge").core("core7")

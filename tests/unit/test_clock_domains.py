"""Clock domains of a description: exact edges, what follows from them, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tilewright as tw
from hw_models.clock import own_clock
from hw_models.description import load_accelerator
from hw_models.layer_engine import engine_params
from tests.reference.naive_clocks import naive_edge, naive_ends
from tilewright.networks import simulate_network
from tilewright.sweeps.names import check_names
from tilewright.sweeps.spec import read_spec
from workloads.errors import InputError

RATES = st.integers(1, 40)


@given(RATES, RATES, st.integers(0, 200), st.integers(0, 60))
def test_edges_equal_those_that_are_walked(own: int, reference: int, cycle: int, own_cycles: int) -> None:
    clock = own_clock("own", Fraction(own), Fraction(reference))
    assert clock.ends(cycle, own_cycles) == naive_ends(clock, cycle, own_cycles)
    assert Fraction(clock.edge(cycle)) / clock.ratio == naive_edge(clock, Fraction(cycle))
    least = min(naive_ends(clock, start, own_cycles) - start for start in range(reference + 1))
    assert clock.least(own_cycles) == least
    assert (clock.phase(cycle) == 0) == (naive_edge(clock, Fraction(cycle)) == cycle)


@given(st.integers(1, 1 << 40), st.integers(1, 1 << 40), st.integers(0, 1 << 40))
def test_rounded_terms_stay_a_bound(own: int, reference: int, own_cycles: int) -> None:
    clock = own_clock("own", Fraction(own, 1 << 20), Fraction(reference, 1 << 20))
    above, below = clock.rounded()
    short = own_cycles / clock.ratio - Fraction(own_cycles * above, below)
    assert 0 <= short <= Fraction(own_cycles, 1 << 20)
    assert not short or max(own, reference) > 1 << 20


MEMORY = """name: two_clocks
summary: an array at 200 MHz, a vector unit at 300 MHz, memory at 560 MHz
source: test
clocks:
  - {name: core, frequency: 200MHz}
  - {name: bus, frequency: 560MHz}
  - {name: lanes, frequency: 300MHz}
dram:
  - {name: dram0, clock: bus, bandwidth: 4B/cycle, latency: 25ns, beat: 8B, burst: 64B, energy: {standard: LPDDR4}}
cores:
  - name: core0
    array: {kind: systolic, rows: 8, cols: 8, dataflows: [ws, os], input_format: int8, weight_format: int8,
      accumulator_format: int32, reduction_unroll: window}
    scratchpads: {input: {half: 8KiB}, weight: {half: 8KiB}, accumulator: {half: 8KiB}}
    vector: {clock: lanes, lanes: 4, latency: 3cycles, simple: 1cycle, special: 4cycles, operand_half: 1KiB,
      output_half: 1KiB}
    dma: {outstanding: 2, issue: 1cycle}
energy: {table: published, node: 45nm}
"""


@pytest.fixture
def described(tmp_path: Path) -> Path:
    path = tmp_path / "two_clocks.yaml"
    path.write_text(MEMORY, encoding="utf-8")
    return path


def test_a_description_states_each_part_in_its_own_cycles(described: Path) -> None:
    machine = load_accelerator(described)
    assert {part: clock.mhz for part, clock in machine.own_clocks().items()} == {"dram": 560, "vector": 300}
    # 4 bytes per cycle of 560 MHz; 25 ns are 14 of its cycles, 5 of the core's.
    assert machine.dram.bytes_per_cycle == Fraction(4 * 560, 200)
    assert (machine.dram.own_latency_cycles, machine.dram.latency_cycles) == (14, 5)
    faster = load_accelerator(described, ["clocks.lanes.frequency=400MHz", "clock.frequency=100MHz"])
    assert faster.clock_mhz == 100
    assert faster.core.vector.clock == own_clock("lanes", Fraction(400), Fraction(100))


def test_a_network_runs_in_several_domains_and_all_laws_hold(described: Path) -> None:
    result = tw.simulate("lenet", str(described))
    assert all(check.ok for check in result.result.checks)
    assert result.result.manifest["machine"]["clocks_mhz"] == {"dram": 560.0, "vector": 300.0}
    for fidelity, text in (
        ("event", "synchronisers between"),
        ("analytic", "synchronisers and waits for the next edge"),
    ):
        missing = tw.simulate("lenet", str(described), fidelity=fidelity).result.not_modelled
        assert any(part.startswith(f"{text}") for part in missing)
    slower = tw.simulate("lenet", str(described), overrides=["clocks.lanes.frequency=100MHz"])
    assert slower.totals.cycles > result.totals.cycles


def test_one_frequency_under_two_names_is_one_clock(tmp_path: Path) -> None:
    named, plain = tmp_path / "named.yaml", tmp_path / "plain.yaml"
    same = MEMORY.replace("560MHz", "200MHz").replace("300MHz", "200MHz")
    named.write_text(same, encoding="utf-8")
    single = same.replace("  - {name: bus, frequency: 200MHz}\n  - {name: lanes, frequency: 200MHz}\n", "")
    plain.write_text(single.replace("clock: bus, ", "").replace("clock: lanes, ", ""), encoding="utf-8")
    assert tw.simulate("lenet", str(named)).totals == tw.simulate("lenet", str(plain)).totals


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clock: lanes", "clock: lines", r"cores.vector.clock: clock 'lines' is unknown; did you mean 'lanes'"),
        ("clock: lanes, ", "", "clock 'lanes' is the clock of nothing; name it in dram, vector or link, or remove it"),
        ("300MHz", "300.00000000000001MHz", r"common tick of 6e\+24 per second, bound is 2\^63"),
        ("25ns", "26ns", "latency is 14.56 cycles of 560 MHz, a whole number is needed; write 15cycles"),
        ("bandwidth: 4B/cycle, latency: 25ns, beat: 8B, burst: 64B, energy: {standard: LPDDR4}", "standard: DDR4-2400",
         "key 'clock' follows from dram.standard; remove one of the two"),
        ("input: {half: 8KiB}", "input: {half: 8KiB, banks: {count: 8, word: 1B}}",
         "scratchpads have banks and the vector unit has a clock of its own"),
        ("name: lanes, freq", "name: bus, freq", "clocks has the name 'bus' twice; rename one"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(described: Path, old: str, new: str, message: str) -> None:
    assert old in MEMORY
    described.write_text(MEMORY.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_accelerator(described)


def test_a_clock_of_many_digits_does_not_leave_64_bits_in_the_search(described: Path) -> None:
    slow = ["vector.simple=1000000cycles", "vector.lanes=1"]
    near, plain = (
        tw.simulate("lenet", str(described), overrides=[f"clocks.lanes.frequency={mhz}MHz", *slow])
        for mhz in ("299.9999999", "300")
    )
    first, second = (simulation.result.layers[0].mapping for simulation in (near, plain))
    assert first is not None and second is not None
    assert first["loops"] == second["loops"]


def test_a_sweep_names_clocks_by_their_domain(described: Path, tmp_path: Path) -> None:
    text = "workloads: lenet\narchs: two_clocks.yaml\ngrid:\n  clocks.lanes.frequency: [100MHz, 300MHz]\n"
    spec = described.parent / "sweep.yaml"
    spec.write_text(text)
    check_names(read_spec(spec), "sweep.yaml")
    spec.write_text(text.replace("lanes", "lames"))
    with pytest.raises(
        InputError, match=r"grid.clocks.lames.frequency: .*: clock 'lames' is unknown; did you mean 'la"
    ):
        check_names(read_spec(spec), "sweep.yaml")
    spec.write_text(text.replace("lanes", "core") + "  clock.frequency: [100MHz]\n")
    with pytest.raises(InputError, match=r"grid names 'clocks.core.frequency' twice"):
        check_names(read_spec(spec), "sweep.yaml")


def test_a_cluster_says_which_parts_have_clocks_of_their_own(described: Path) -> None:
    made = simulate_network("lenet", str(described), tensors="none").to_json()
    assert made["manifest"]["machine"]["clocks_mhz"] == {"dram": 560.0, "core0.vector": 300.0}
    assert "synchronisers between the clock domains (dram, core0.vector on their own)" in made["not_modelled"]


def test_an_override_of_no_clock_is_refused_with_those_there_are(described: Path) -> None:
    with pytest.raises(InputError, match="clock 'memory' is unknown; use one of core, bus, lanes"):
        load_accelerator(described, ["clocks.memory.frequency=1GHz"])


def test_an_engine_is_built_for_one_clock(described: Path) -> None:
    with pytest.raises(InputError, match=r"vector\.clock is another one, built is the clock of the array"):
        engine_params(load_accelerator(described))

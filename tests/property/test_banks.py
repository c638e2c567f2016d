"""Passes between banks against a twin that makes every access, and the laws of layouts and ports."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Core, PEArray
from hw_models.array_timing import timing_of
from hw_models.banking.banks import INPUT_LAYOUTS, WEIGHT_LAYOUTS, Banks
from hw_models.banking.memory import Scratchpad
from hw_models.banking.passes import PassClock, PassReads
from hw_models.banking.reads import InputRead, WeightRead, input_bytes, row_padding
from hw_models.dma import Dma
from hw_models.systolic import FoldJob
from hw_models.vector_unit import VectorUnit
from tests.reference.naive_banks import NaivePass
from tests.reference.profile import examples
from workloads.formats import Int

HALF = 1 << 16


@st.composite
def some_banks(draw: st.DrawFn, unit: int) -> Banks | None:
    if draw(st.integers(0, 5)) == 0:
        return None
    count = draw(st.sampled_from([1, 2, 3, 4, 5, 7, 8, 16]))
    word = unit * draw(st.sampled_from([1, 2, 4]))
    spread = draw(st.sampled_from(["interleaved", "skewed", "blocked"]))
    words = HALF // (count * word) if spread != "blocked" else draw(st.integers(3, 20))
    return Banks(count, word, draw(st.integers(1, 2)), spread, "auto", words)


@st.composite
def cores(draw: st.DrawFn) -> Core:
    flow = draw(st.sampled_from(["ws", "os", "is"]))
    bits = draw(st.sampled_from([8, 8, 16]))
    array = PEArray(
        "systolic", draw(st.integers(1, 6)), draw(st.integers(1, 5)), (flow,), Int(bits), Int(8), Int(48),
        draw(st.sampled_from(["window", "channel"])), Fraction(1), "test",
    )  # fmt: skip
    vector = VectorUnit(4, 2, 1, 3, 64, 64, Fraction(1), Fraction(1), "test")

    def pad(name: str, unit: int) -> Scratchpad:
        return Scratchpad(name, HALF, 1024, 1024, Fraction(1), Fraction(1), "test", banks=draw(some_banks(unit)))

    return Core("core", array, pad("input", bits // 8), pad("weight", 1), pad("accumulator", 6), vector, Dma(2, 1))


@st.composite
def passes(draw: st.DrawFn, core: Core) -> PassReads:
    """Return a pass over part of two tiles, borders, strides, dilation, groups and planes included."""
    groups, channels, outputs = (draw(st.integers(1, n)) for n in (2, 5, 6))
    taps = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride, dilation = ((1, draw(st.integers(1, 3)), draw(st.integers(1, 3))) for _ in range(2))
    pixels = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 5)))
    before = (draw(st.integers(0, 1)), draw(st.integers(0, 1)), *(draw(st.integers(-2, 1)) for _ in range(3)),
              draw(st.integers(0, 2)))  # fmt: skip
    tile = (
        before[0] + pixels[0], before[1] + groups, *(draw(st.integers(1, 9)) for _ in range(3)), before[5] + channels
    )  # fmt: skip
    layout = draw(st.sampled_from(INPUT_LAYOUTS))
    unit = core.array.input_format.bits // 8
    data = InputRead(
        tile, before, groups, channels, pixels, taps, stride, dilation, unit, unit * draw(st.integers(0, 9))
    )
    if core.input.banks is not None:
        data = replace(data, padding_bytes=row_padding(data, layout, core.input.banks, pixels[3]))
    at = (draw(st.integers(0, 1)), draw(st.integers(0, 2)), draw(st.integers(0, 3)))
    count = taps[0] * taps[1] * taps[2]
    places = draw(st.sampled_from([1, 1, 2, 3, 4]))
    word_bits = draw(st.integers(3, 30)) if places > 1 and draw(st.booleans()) else 0
    at = at[0], at[1] * places, at[2]
    weight = WeightRead(
        (at[0] + groups, count, at[1] + channels, at[2] + outputs + draw(st.integers(0, 2))), at, groups, channels,
        outputs, 1, draw(st.integers(0, 9)), places, word_bits,
    )  # fmt: skip
    return PassReads(data, weight, layout, "output_last" if word_bits else draw(st.sampled_from(WEIGHT_LAYOUTS)))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Core, PassReads]:
    core = draw(cores())
    return core, draw(passes(core))


@settings(max_examples=examples(60), deadline=None)
@given(cases(), st.integers(0, 50), st.none() | st.integers(0, 80))
def test_a_pass_takes_what_its_accesses_take(case: tuple[Core, PassReads], issue: int, previous: int | None) -> None:
    core, reads = case
    flow = core.array.dataflows[0]
    twin = NaivePass(core, flow, reads)
    folds = twin.vectors()
    times = PassClock(core).times(flow, reads)
    assert times.begin_end(issue, previous) == twin.operands(issue, previous)
    assert times.folds == len(folds)
    assert times.last_stream_cycles == sum(folds[-1][1])
    assert times.conflict_cycles == sum(step - 1 for _, steps in folds for step in steps)


@st.composite
def sparse_cases(draw: st.DrawFn) -> tuple[Core, PassReads]:
    """Return a pass of an N:M array: operands of several channels, weights packed or (made at run time) dense."""
    core = draw(cores())
    banks = Banks(draw(st.sampled_from([2, 3, 5, 8])), 1, 1, "interleaved", "auto", HALF)
    units = {"input": core.array.input_format.bits // 8, "weight": 1}
    pads = {name: replace(getattr(core, name), banks=replace(banks, word_bytes=unit)) for name, unit in units.items()}
    core = replace(core, accumulator=replace(core.accumulator, banks=None), **pads)
    reads = draw(passes(core))
    places = draw(st.integers(2, 4))
    weight, bits = reads.weight, draw(st.just(0) | st.integers(3, 30))
    first = weight.first[0], weight.first[1] // places * places, weight.first[2]
    weight = replace(weight, first=first, places=places, word_bits=bits)
    return core, replace(reads, weight=weight, weight_layout="output_last" if bits else reads.weight_layout)


@settings(max_examples=examples(120), deadline=None)
@given(sparse_cases())
def test_a_sparse_pass_takes_what_its_accesses_take(case: tuple[Core, PassReads]) -> None:
    core, reads = case
    flow = core.array.dataflows[0]
    twin = NaivePass(core, flow, reads)
    folds = twin.vectors()
    times = PassClock(core).times(flow, reads)
    assert times.begin_end(3, 11) == twin.operands(3, 11)
    assert times.folds == len(folds)
    assert times.conflict_cycles == sum(step - 1 for _, steps in folds for step in steps)


def small_core(flow: str, banks: Banks, memory: str = "input") -> Core:
    """Return a core of 4 x 4 whose `memory` has `banks`."""
    array = PEArray("systolic", 4, 4, (flow,), Int(8), Int(8), Int(32), "window", Fraction(1), "test")  # type: ignore[arg-type]
    vector = VectorUnit(4, 2, 1, 3, 64, 64, Fraction(1), Fraction(1), "test")
    pads = {
        name: Scratchpad(name, HALF, 1024, 1024, Fraction(1), Fraction(1), "t", banks=banks if name == memory else None)
        for name in ("input", "weight", "accumulator")
    }
    return Core("core", array, **pads, vector=vector, dma=Dma(2, 1))


@pytest.mark.parametrize("flow", ["ws", "os", "is"])
@pytest.mark.parametrize("spread", ["skewed", "blocked"])
def test_groups_that_start_elsewhere_in_the_banks_are_counted_for_themselves(flow: str, spread: Any) -> None:
    core = small_core(flow, Banks(4, 2, 1, spread, "auto", 3))
    one = (1, 1, 1)
    data = InputRead((1, 4, 1, 3, 5, 3), (0,) * 6, 4, 3, (1, 1, 3, 3), (1, 1, 3), one, one, 1)
    weight = WeightRead((4, 3, 3, 5), (0, 0, 0), 4, 3, 5, 1)
    reads = PassReads(data, weight, "channel_last", "output_last")
    assert PassClock(core).times(core.array.dataflows[0], reads).begin_end(0, None) == NaivePass(
        core, flow, reads
    ).operands(0, None)


@settings(max_examples=examples(30), deadline=None)
@given(cases())
def test_without_banks_a_pass_keeps_the_fold_rule(case: tuple[Core, PassReads]) -> None:
    core, reads = case
    plain = replace(
        core, **{name: replace(getattr(core, name), banks=None) for name in ("input", "weight", "accumulator")}
    )
    flow = core.array.dataflows[0]
    times, folds = PassClock(plain).times(flow, reads), NaivePass(plain, flow, reads).vectors()
    timing = timing_of(plain.array, flow, 1)
    job = FoldJob(len(folds[0][1]), 1, len(folds))
    for issue, before in ((0, None), (7, 3), (7, 40)):
        assert times.begin_end(issue, before)[1] == timing.stream_end_cycle(job, issue, before)
    assert times.conflict_cycles == times.drain_extra_cycles == 0
    assert times.span_cycles <= PassClock(core).times(flow, reads).span_cycles


@settings(max_examples=examples(30), deadline=None)
@given(cases())
def test_another_port_never_makes_a_pass_longer(case: tuple[Core, PassReads]) -> None:
    core, reads = case
    flow = core.array.dataflows[0]
    pads = {
        name: replace(pad, banks=replace(pad.banks, ports=pad.banks.ports + 1))
        for name in ("input", "weight", "accumulator")
        if (pad := getattr(core, name)).banks is not None
    }
    one, two = PassClock(core).times(flow, reads), PassClock(replace(core, **pads)).times(flow, reads)
    assert two.span_cycles <= one.span_cycles
    assert two.first_load_cycles <= one.first_load_cycles


@settings(max_examples=examples(50), deadline=None)
@given(cases())
def test_every_element_of_a_tile_has_a_place_of_its_own(case: tuple[Core, PassReads]) -> None:
    core, reads = case
    whole = replace(
        reads.input, first=(0,) * 6, groups=reads.input.tile[1], channels=reads.input.tile[5], taps=(1, 1, 1),
        stride=(1, 1, 1), pixels=(reads.input.tile[0], *reads.input.tile[2:5]),
    )  # fmt: skip
    twin = NaivePass(core, "ws", replace(reads, input=whole))
    at = [
        twin.input_address(group, pixel, element)
        for group in range(whole.groups)
        for pixel in twin.pixels
        for element in twin.window
    ]
    assert None not in at
    assert len(set(at)) == len(at)
    places = [address - whole.start_bytes for address in at if address is not None]
    assert min(places) == 0
    assert max(places) + whole.element_bytes + whole.padding_bytes <= input_bytes(whole, reads.input_layout)

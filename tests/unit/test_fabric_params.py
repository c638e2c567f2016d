"""Stream fabric on paper: order of packets against a queue written out, words of any width, what is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.fabric import ArbiterParams, FifoParams, SkidParams
from rtl.emit import emit
from rtl.interleave import by_source
from rtl.stimulus import CORNERS, draw
from rtl.stream_core import Beats, stream_work
from tests.cosim.fabric_cases import CORES
from tests.reference.profile import examples
from workloads.errors import InputError, MismatchError


def served(ports: list[list[list[int]]]) -> list[tuple[int, list[int]]]:
    """Return packets in the order of a token that walks from port to port and stops at those that ask."""
    queues = [deque(packets) for packets in ports]
    order: list[tuple[int, list[int]]] = []
    token = 0
    while any(queues):
        if queues[token]:
            order.append((token, queues[token].popleft()))
        token = (token + 1) % len(queues)
    return order


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data(), ports=st.integers(1, 8), places=st.integers(1, 9))
def test_packets_come_out_whole_in_turn_and_none_is_lost(data: st.DataObject, ports: int, places: int) -> None:
    params = ArbiterParams(ports, 8)
    marks = np.array(data.draw(st.lists(st.lists(st.integers(0, 2), min_size=places, max_size=places), min_size=ports,
                                        max_size=ports)))  # fmt: skip
    marks[data.draw(st.integers(0, ports - 1)), 0] = 1
    words = np.arange(marks.size).reshape(marks.shape) % 256
    order = params.golden(words, marks)
    packets = params.packets(words, marks)
    assert order == served(packets)
    for port in range(ports):
        kept = words[port][marks[port] != 0].tolist()
        assert [word for source, packet in order if source == port for word in packet] == kept
        turns = [at for at, (source, _) in enumerate(order) if source == port]
        assert all(later - earlier <= ports for earlier, later in pairwise(turns))
    assert params.cycles(words, marks) == np.count_nonzero(marks)


@pytest.mark.parametrize("params", CORES, ids=lambda params: params.name)
def test_drawn_words_come_out(params: FifoParams | SkidParams | ArbiterParams) -> None:
    rng = np.random.default_rng(3)
    for corner in CORNERS:
        work = stream_work(params, *draw(params, rng, corner))
        sent = [word for beats in work.inputs.values() for word in beats.data]
        mask = (1 << params.bits) - 1
        assert sorted(sent) == sorted(word & mask for word in work.outputs["m_axis_o"].data)
        assert work.cycles == len(sent)
        assert max(sent) >> params.bits == 0


def test_wide_words_keep_every_bit() -> None:
    word = (1 << 100) - 3
    (sent,) = stream_work(SkidParams(100), np.array([[word]], dtype=object)).outputs["m_axis_o"].data
    assert sent == word


def test_packets_are_put_back_into_the_order_of_their_sources() -> None:
    wanted = [Beats((0x01, 0x11), (True, True)), Beats((0x12, 0x02), (True, True))]
    mixed = [Beats((0x11, 0x12), (True, True)), Beats((0x01, 0x02), (True, True))]
    assert by_source(wanted, mixed, 4) == wanted
    lost = [Beats((0x11, 0x11), (True, True)), Beats((0x01, 0x02), (True, True))]  # 0x12 vanished, 0x11 came twice
    assert by_source(wanted, lost, 4) != wanted
    strange = [Beats((0x11, 0x12), (True, True)), Beats((0x01, 0x32), (True, True))]
    assert by_source(wanted, strange, 4) != wanted
    with pytest.raises(MismatchError, match="packet of source 0 holds a word of source 1"):
        by_source(wanted, [Beats((0x01, 0x11, 0x12, 0x02), (False, True, True, True))], 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FifoParams(1, 8), r"depth is 1, bound is 2\.\.65536"),
        (lambda: FifoParams(65537, 8), r"depth is 65537, bound is 2\.\.65536"),
        (lambda: FifoParams(2, 0), r"bits is 0, bound is 1\.\.1024"),
        (lambda: SkidParams(1025), r"bits is 1025, bound is 1\.\.1024"),
        (lambda: ArbiterParams(0, 8), r"ports is 0, bound is 1\.\.32"),
        (lambda: ArbiterParams(33, 8), r"ports is 33, bound is 1\.\.32"),
        (lambda: ArbiterParams(2, 0), r"bits is 0, bound is 1\.\.1024"),
        (lambda: FifoParams(2, 4).golden(np.array([[16]])), r"span 16\.\.16, bound is 0\.\.2\*\*4 - 1"),
        (lambda: SkidParams(4).golden(np.array([[-1]])), r"span -1\.\.-1"),
        (lambda: SkidParams(4).golden(np.array([1])), r"bound is \(packets, length\)"),
        (lambda: ArbiterParams(2, 4).golden(np.array([[1]]), np.array([[1]])), r"two equal shapes of \(2, places\)"),
        (lambda: ArbiterParams(1, 4).golden(np.array([[1]]), np.array([[3]])), r"not of 0\.\.2"),
        (lambda: ArbiterParams(1, 4).golden(np.array([[1]]), np.array([[0]])), "all 0"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("params", CORES, ids=lambda params: params.name)
def test_same_parameters_same_bytes(params: object) -> None:
    assert emit(params) == emit(params)

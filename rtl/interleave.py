"""Beats of one output to which several inputs contribute: in the order of their sources, not of their arrival.

Which source is served next depends on who asks in that cycle, and pauses of a bench decide that. What holds under any
pauses: a packet comes out whole, and the packets of one source keep their order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from rtl.stream_core import Beats
from workloads.errors import MismatchError


def by_source(wanted: Sequence[Beats], got: Sequence[Beats], low: int) -> list[Beats]:
    """Return the beats of `got` in the order in which `wanted` has those of the same source.

    Parameters
    ----------
    wanted, got : sequence of Beats
        Per work, what must come out and what came out; works may have mixed, each has its number of beats.
    low : int
        Lowest bit of the source's number in a word.

    Raises
    ------
    MismatchError
        If packets of two sources are mixed.
    """
    waiting: dict[int, deque[tuple[int, bool]]] = defaultdict(deque)
    under_way: int | None = None
    for beats in got:
        for word, last in zip(beats.data, beats.last, strict=True):
            source = word >> low
            if under_way not in (None, source):
                raise MismatchError(f"rtl stream: a packet of source {under_way} holds a word of source {source}")
            under_way = None if last else source
            waiting[source].append((word, last))
    ordered = []
    for beats in wanted:
        # A source with too few beats shows as a wrong beat: one of another source takes the place.
        taken = [(waiting[word >> low] or max(waiting.values(), key=len)).popleft() for word in beats.data]
        ordered.append(Beats(tuple(word for word, _ in taken), tuple(last for _, last in taken)))
    return ordered

"""The spans of all commands of a run, kept as columns: one row of times per command instead of an object each.

A run of a large network has hundreds of thousands of spans, most of them copies that a fast-forward moved. Columns are
copied, moved, compared and summed at once. Times are 64-bit integers as long as they fit, and Python's own where a run
is so long that sums of them might not: exact either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from mappers.commands import ENGINES
from sim.spans import Span

IntArray = npt.NDArray[Any]
"""Of 64-bit integers, or of objects that are integers."""
LONGEST = 1 << 61
"""Cycle from which on times are Python's integers."""
TIMES = ("head", "ready", "issue", "begin", "last", "end")
_NAME = (*ENGINES, "")
_NUMBER: dict[str, int] = {"": -1} | {name: number for number, name in enumerate(ENGINES)}


class Spans(Sequence[Span]):
    """Spans of the commands of a program, in its order.

    Attributes
    ----------
    times : array
        Per command, the times of `TIMES` in this order; -1 as long as they are not known.
    given : array
        Per command, when a host handed it out.
    cause : array
        Per command, the engine it waited for last as its place in `ENGINES`, -1 for none.
    """

    __slots__ = ("cause", "given", "times")
    __hash__ = None  # type: ignore[assignment]  # rows are written while a run goes on

    def __init__(self, commands: int) -> None:
        self.times: IntArray = np.full((commands, len(TIMES)), -1, dtype=np.int64)
        self.given: IntArray = np.full(commands, -1, dtype=np.int64)
        self.cause = np.full(commands, -1, dtype=np.int64)

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Self:
        """Return `spans` as columns."""
        listed = list(spans)
        table = cls(len(listed))
        for index, span in enumerate(listed):
            table.put(index, span)
        return table

    def put(self, index: int, span: Span, later: int = 0) -> None:
        """Note `span`, moved by `later` cycles, for command `index`."""
        if span.end + later >= LONGEST:
            self._widen()
        row = (span.head, span.ready, span.issue, span.begin, span.last, span.end)
        self.times[index] = [time + later for time in row] if later else row
        self.cause[index] = _NUMBER[span.cause]
        if span.given >= 0:
            self.given[index] = span.given

    def repeat(self, commands: IntArray, stride: int, cycles: int, times: int) -> None:
        """Give the commands `stride`, 2 `stride`, ... behind `commands` their spans, moved by `cycles` each time."""
        if int(self.times[commands].max(initial=0)) + times * cycles >= LONGEST:
            self._widen()
        seen, cause = self.times[commands], self.cause[commands]
        nth = np.arange(1, times + 1)
        where = commands[None, :] + stride * nth[:, None]
        later = np.array([k * cycles for k in range(1, times + 1)], dtype=self.times.dtype)
        self.times[where] = seen[None] + later[:, None, None]
        self.cause[where] = cause[None]

    def _widen(self) -> None:
        self.times, self.given = self.times.astype(object), self.given.astype(object)

    @property
    def missing(self) -> int:
        """Value of the number of commands whose span is not known."""
        return int((self.times[:, 5] < 0).sum())

    def __len__(self) -> int:
        return len(self.cause)

    @overload
    def __getitem__(self, index: int) -> Span: ...

    @overload
    def __getitem__(self, index: slice) -> list[Span]: ...

    def __getitem__(self, index: int | slice) -> Span | list[Span]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return _span(self.times[index].tolist(), int(self.cause[index]), int(self.given[index]))

    def __iter__(self) -> Iterator[Span]:
        for times, cause, given in zip(self.times.tolist(), self.cause.tolist(), self.given.tolist(), strict=True):
            yield _span(times, cause, given)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Spans):
            pairs = ((self.times, other.times), (self.given, other.given), (self.cause, other.cause))
            return all(np.array_equal(a, b) for a, b in pairs)
        if isinstance(other, Sequence):
            return list(self) == list(other)
        return NotImplemented

    def __repr__(self) -> str:
        return f"Spans({list(self)!r})"


def _span(times: Sequence[int], cause: int, given: int) -> Span:
    head, ready, issue, begin, last, end = times
    return Span(head, ready, issue, begin, last, end, _NAME[cause], given)

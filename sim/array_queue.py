"""Jobs back to back on one array, in cycles: the fold rule of docs/architecture.md §3."""

from __future__ import annotations

from collections.abc import Sequence

from hw_models.array_timing import ArrayTiming
from hw_models.banking.passes import PassTimes
from hw_models.systolic import FoldJob


class ArrayQueue:
    """Timing of back-to-back jobs on the array: the one place where the fold rule meets the clock."""

    def __init__(self) -> None:
        self._timing: ArrayTiming | None = None
        self._end: int | None = None
        self._stream = 0
        self._done = 0

    def earliest_issue(self, timing: ArrayTiming) -> int:
        """Return the first cycle at which the next job may be taken."""
        if self._end is None:
            return 0
        return self._end - self._stream if timing == self._timing else self._done

    def issue(
        self, timing: ArrayTiming, job: FoldJob, cycle: int, banked: PassTimes | None = None
    ) -> tuple[int, int, int]:
        """Take `job` at `cycle`; return (first operand, last operand entered, complete).

        `banked`: times of its folds where operands wait for banks.
        """
        previous = self._end if timing == self._timing else None
        stream, extra = job.stream, 0
        if banked is None:
            end = timing.stream_end_cycle(job, cycle, previous)
            begin = end - (job.folds - 1) * timing.interval_cycles(job) - job.stream
        else:
            begin, end = banked.begin_end(cycle, previous)
            stream, extra = banked.last_stream_cycles, banked.drain_extra_cycles
        self._timing, self._end, self._stream = timing, end, stream
        self._done = end + timing.drain_latency_cycles + extra
        return begin, end, self._done

    def state(self, cycle: int, idle_cycles: int) -> tuple[object, ...] | None:
        """Return what jobs from `cycle` on depend on, relative to it; None once all is over for `idle_cycles`."""
        if self._end is None or max(self._done, self._end + idle_cycles) <= cycle:
            return None
        return self._timing, self._stream, self._end - cycle, self._done - cycle


def simulate_jobs(
    timing: ArrayTiming, jobs: Sequence[FoldJob], earliest_issue_cycles: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """Return (issue, complete) of jobs offered back to back to one array, without sequencer or memories.

    Parameters
    ----------
    earliest_issue_cycles : sequence of int, optional
        Per job, the cycle before which it is not offered.
    """
    queue, spans = ArrayQueue(), []
    for index, job in enumerate(jobs):
        offered = earliest_issue_cycles[index] if earliest_issue_cycles else 0
        issue = max(offered, queue.earliest_issue(timing))
        spans.append((issue, queue.issue(timing, job, issue)[2]))
    return spans

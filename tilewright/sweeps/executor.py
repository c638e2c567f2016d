"""Who runs the points: a narrow interface and the local process pool."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol

from tilewright.sweeps.spec import Point
from workloads.errors import InfeasibleError, InternalError, TilewrightError

Outcome = dict[str, Any]


class Executor(Protocol):
    """Runs points and hands back outcomes as they finish, in any order."""

    def run(self, points: Sequence[tuple[str, Point]]) -> Iterator[tuple[str, Point, Outcome]]:
        """Yield (identity, point, outcome) for each point."""


def run_point(point: Point) -> Outcome:
    """Simulate one point; infeasible and refused points are outcomes, not crashes.

    Returns
    -------
    dict
        ``status`` is ``ok``, ``infeasible`` or ``error``; an ``ok`` point has ``metrics``, the others a ``reason``, an
        ``error`` its ``exit_code``.
    """
    from tilewright.api import simulate

    try:
        result = simulate(
            point.workload,
            arch=point.arch,
            objective=point.objective,
            fidelity=point.fidelity,
            dims=dict(point.dims),
            overrides=[f"{path}={value}" for path, value in point.overrides],
        )
    except InfeasibleError as error:
        return {"status": "infeasible", "reason": str(error)}
    except TilewrightError as error:
        return {"status": "error", "reason": str(error), "exit_code": error.exit_code}
    except Exception as error:
        # One bad point must not take the others with it; the sweep ends with exit code 70.
        return {"status": "error", "reason": f"{type(error).__name__}: {error}", "exit_code": InternalError.exit_code}
    totals = result.totals
    return {
        "status": "ok",
        "metrics": {
            "cycles": totals.cycles,
            "time_s": totals.time_s,
            "macs": totals.macs,
            "energy_pj": totals.energy_pj,
            "edp": totals.energy_pj * totals.time_s,
            "dram_bytes": totals.dram_read_bytes + totals.dram_write_bytes,
            "utilisation": totals.utilisation,
            "peak_scratchpad_bytes": totals.peak_scratchpad_bytes,
        },
    }


def _end_with_parent() -> None:
    """Make a worker end when the process that started it does, however that ends."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            wait_for([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _outcome(future: Future[Outcome]) -> Outcome:
    """Return what a worker answered; a dead worker stops the sweep with what it may mean."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise InternalError(
            "sweep: a worker process died (killed, out of memory, or started from a script without "
            "'if __name__ == \"__main__\":'); finished points are kept, run the same command again"
        ) from error


class LocalExecutor:
    """A pool of `jobs` processes; `jobs` = 1 runs in this process.

    Points are handed out a few at a time, so that an interrupt loses only what is in flight.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def run(self, points: Sequence[tuple[str, Point]]) -> Iterator[tuple[str, Point, Outcome]]:
        """Yield (identity, point, outcome) as points finish."""
        if self._jobs == 1:
            for identity, point in points:
                yield identity, point, run_point(point)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self._jobs, context, _end_with_parent) as pool:
            waiting = iter(points)
            running: dict[Future[Outcome], tuple[str, Point]] = {}
            try:
                while True:
                    while len(running) < 2 * self._jobs and (item := next(waiting, None)) is not None:
                        running[pool.submit(run_point, item[1])] = item
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        identity, point = running.pop(future)
                        yield identity, point, _outcome(future)
            finally:
                for future in running:
                    future.cancel()

"""Queueing limits: the channel is a single server in order, and long runs of such a server meet M/D/1 and M/M/1.

The event model is compared exactly, request by request, with Lindley's recursion on the same arrivals and services; the
recursion, over many more requests, with the formulas.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import simpy

from hw_models.accelerator import DramChannel
from mappers.commands import Transfer
from sim.channel import READ, Channel

MEAN = 400
"""Mean service in cycles: rounding to cycles is far below 1 %."""


def drawn(count: int, load: float, fixed: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return arrival times and services in cycles."""
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(np.rint(random.exponential(MEAN / load, count)).astype(np.int64)) + 1
    services = np.full(count, MEAN) if fixed else np.maximum(1, np.rint(random.exponential(MEAN, count)))
    return arrivals, services.astype(np.int64)


def lindley_waits(arrivals: np.ndarray, services: np.ndarray) -> np.ndarray:
    """Return the wait of every request before its service begins."""
    steps = np.concatenate(([0], services[:-1] - np.diff(arrivals)))
    walk = np.cumsum(steps)
    return np.asarray(walk - np.minimum.accumulate(walk))


def simulated_waits(arrivals: np.ndarray, services: np.ndarray) -> list[int]:
    """Return the waits that the channel gives: one byte per cycle, so a request of n bytes takes n cycles."""
    env = simpy.Environment()
    channel = Channel(env, DramChannel("q", Fraction(1), 0, 1, 64, Fraction(0), "test"))
    waits: list[int] = []

    def source() -> object:
        for arrival, service in zip(arrivals.tolist(), services.tolist(), strict=True):
            if arrival - 1 > env.now:
                yield env.timeout(arrival - 1 - int(env.now))
            transfer = Transfer(0, service)

            def begun(cycle: int, arrival: int = arrival) -> None:
                waits.append(cycle - arrival)

            channel.submit(READ, arrival, (transfer,), begun, lambda _: None)

    env.process(source())  # type: ignore[arg-type]
    env.run()
    return waits


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("load", [0.3, 0.6, 0.9])
def test_the_channel_is_a_single_server(load: float, fixed: bool) -> None:
    arrivals, services = drawn(2_000, load, fixed, 5)
    assert simulated_waits(arrivals, services) == lindley_waits(arrivals, services).tolist()


@pytest.mark.parametrize("load", [0.3, 0.6])
def test_long_runs_meet_the_formulas(load: float) -> None:
    for fixed, expected in ((True, load * MEAN / (2 * (1 - load))), (False, load * MEAN / (1 - load))):
        waits = lindley_waits(*drawn(2_000_000, load, fixed, 5))
        assert float(waits.mean()) == pytest.approx(expected, rel=0.01)

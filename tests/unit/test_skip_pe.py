"""Zero skipping on two sides: masks counted one by one, densities in expectation, imbalance between PEs."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.broadcast_row import BroadcastRow
from hw_models.skip_pe import DualSideCore, SkipPE
from workloads.errors import InputError

PE = SkipPE("pe", 16, 192, 4)


def test_cycles_are_the_products_of_non_zeros_plus_empty_columns() -> None:
    generator = np.random.default_rng(3)
    inputs, weights = generator.random((7, 9)) < 0.5, generator.random((10, 9)) < 0.3
    naive = 0
    for first in range(0, 10, 4):
        for pixel in range(7):
            for channel in range(9):
                if inputs[pixel, channel]:
                    naive += max(1, sum(bool(weights[k, channel]) for k in range(first, min(10, first + 4))))
    assert PE.cycles(inputs, weights) == naive


def test_expectation_is_the_mean_of_drawn_masks() -> None:
    generator = np.random.default_rng(5)
    drawn = [PE.cycles(generator.random((8, 16)) < 0.6, generator.random((8, 16)) < 0.2) for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(PE.expected_cycles(8 * 8 * 16, 0.6, 0.2), rel=0.02)


def test_pes_that_wait_for_one_another_lose_what_the_density_promises() -> None:
    full, empty = np.ones((4, 8), dtype=bool), np.zeros((4, 8), dtype=bool)
    taken, least = PE.cluster_cycles([[(full, full), (empty, full)], [(empty, full), (full, full)]])
    assert (taken, least) == (2 * 128, 128)
    assert PE.cluster_cycles([[(full, full), (full, full)]]) == (128, 128)


def test_a_dual_side_core_counts_pieces() -> None:
    core = DualSideCore(8, 8, 2, 4)
    a, b = np.zeros((8, 3), dtype=bool), np.zeros((3, 8), dtype=bool)
    a[:3, 0], b[0, :5], a[:, 1] = True, True, True
    assert core.cycles(a, b) == 2 * 2
    assert core.expected_cycles(3, 1.0, 1.0) == 3 * 4 * 2
    generator = np.random.default_rng(1)
    mean = np.mean([core.cycles(generator.random((8, 50)) < 0.4, generator.random((50, 8)) < 0.7) for _ in range(80)])
    assert mean == pytest.approx(core.expected_cycles(50, 0.4, 0.7), rel=0.02)


def test_bad_masks_and_densities_are_refused() -> None:
    with pytest.raises(InputError, match=r"outside 0\.\.1"):
        PE.expected_cycles(1, 1.5, 0.5)
    with pytest.raises(InputError, match="reshape them"):
        PE.cycles(np.ones((2, 3), dtype=bool), np.ones((2, 4), dtype=bool))
    with pytest.raises(InputError, match="cut the matrix into tiles"):
        DualSideCore(8, 8, 2, 4).cycles(np.ones((2, 3), dtype=bool), np.ones((3, 8), dtype=bool))
    with pytest.raises(InputError, match="input_words is 0"):
        SkipPE("pe", 0, 1, 1)


def test_a_broadcast_row_waits_for_its_fullest_queue() -> None:
    generator = np.random.default_rng(2)
    activations, weights = generator.random(60) < 0.5, generator.random((32, 60)) < 0.3
    shallow, even = BroadcastRow(8, 1).cycles(activations, weights)
    deep, same = BroadcastRow(8, 64).cycles(activations, weights)
    assert even == same == weights[:, activations].sum() / 8
    per_pe = weights[:, activations].reshape(-1, 8, int(activations.sum())).sum(axis=0)
    # One place: every activation costs its slowest PE; unlimited: the PE with the most work ends last.
    assert shallow >= int(per_pe.max(axis=0).sum()) > deep >= int(per_pe.sum(axis=1).max())
    assert BroadcastRow(8, 4).cycles(np.zeros(60, dtype=bool), weights)[0] == 0
    with pytest.raises(InputError, match="queue is 0"):
        BroadcastRow(8, 0)
    with pytest.raises(InputError, match="reshape them"):
        BroadcastRow(8, 1).cycles(activations[:5], weights)

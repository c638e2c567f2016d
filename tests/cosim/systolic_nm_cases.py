"""N:M sparse systolic cores, operands, scenarios and planted mistakes of the co-simulation tests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product
from typing import Literal

import numpy as np

from hw_models.systolic import IntArray
from hw_models.systolic_nm import SystolicNMParams
from rtl.run import JobData, Scenario
from rtl.stimulus import prune
from tests.cosim.systolic_cases import FORMATS, fold_job
from workloads.formats import Int

INT8 = (Int(8), Int(8), Int(32))
Flow = Literal["ws", "os"]


def core(
    dataflow: Flow, rows: int, cols: int, kept: int, group: int, formats: tuple[Int, Int, Int] = INT8, depth: int = 24
) -> SystolicNMParams:
    """Return a core; the default depth equals the longest stream of `shapes`."""
    return SystolicNMParams(dataflow, rows, cols, *formats, depth, kept=kept, group=group)


CORES = (
    core("ws", 4, 4, 2, 4), core("os", 4, 4, 2, 4),
    core("ws", 1, 1, 1, 4), core("os", 1, 1, 1, 4),
    core("ws", 1, 3, 2, 8), core("os", 3, 1, 2, 8),
    core("ws", 3, 2, 4, 8), core("os", 2, 3, 4, 8),
    core("ws", 2, 2, 3, 5), core("os", 2, 2, 3, 5),  # M no power of two
    core("ws", 2, 2, 1, 1), core("os", 2, 2, 1, 2),  # the least patterns
    core("ws", 2, 1, 16, 16), core("os", 1, 2, 9, 16),  # the greatest
    *(core(flow, 2, 3, 2, 4, formats) for flow, formats in zip(("ws", "os", "ws", "os", "ws"), FORMATS, strict=True)),
)  # fmt: skip


def shapes(params: SystolicNMParams) -> list[tuple[int, int, int]]:
    """Return GEMM shapes (M, K, N): ones, whole folds, ragged by one place and by one group, long and short streams."""
    r, c, g = params.rows, params.cols, params.group
    places = r * g
    return [
        (1, 1, 1),
        (1, 2 * places + 1, c),
        (2, 1, c + 1),
        (r, places, c),
        (r + 1, 2 * places, 2 * c),
        (min(2 * r + 1, 24), places + g, max(c - 1, 1)),
        (24, 3 * places - 1, c + 1),
        (3, 19, 2),
        (2 * r + 1, 1, 2 * c + 1),  # OS: folds shorter than their drain
    ]


def pruned(params: SystolicNMParams, w: IntArray, rng: np.random.Generator) -> IntArray:
    """Return `w` with the pattern kept; a group in five loses some or all of its weights."""
    kept = w.copy()
    prune(kept.T, params.pattern, rng)
    groups = -(-w.shape[0] // params.group)
    lost = np.repeat(rng.random((groups, w.shape[1])) < 0.2, params.group, axis=0)[: w.shape[0]]
    kept[lost & (rng.random(w.shape) < rng.choice((0.5, 1.0)))] = 0
    return kept


def random_operands(params: SystolicNMParams, shape: tuple[int, int, int], seed: int) -> JobData:
    """Return operands uniform over the whole range of the formats, pruned."""
    m, k, n = shape
    rng = np.random.default_rng(seed)
    i, w = params.input_format, params.weight_format
    a = rng.integers(i.min, i.max, (m, k), dtype=np.int64, endpoint=True)
    return JobData(a, pruned(params, rng.integers(w.min, w.max, (k, n), dtype=np.int64, endpoint=True), rng))


def random_jobs(params: SystolicNMParams) -> tuple[JobData, ...]:
    """Return one job of random values per shape of `shapes`."""
    return tuple(random_operands(params, shape, seed) for seed, shape in enumerate(shapes(params)))


def corner_jobs(params: SystolicNMParams) -> tuple[JobData, ...]:
    """Return jobs of extreme values: every corner of the product, zeros, and alternating signs."""
    m, k, n = 3, 2 * params.rows * params.group + 1, params.cols + 1
    i, w = params.input_format, params.weight_format
    rng = np.random.default_rng(5)
    steps = np.arange(k) % 2
    jobs = []
    for x, y in product((i.min, i.max, 0), (w.min, w.max, 0)):
        weights = np.full((k, n), y)
        prune(weights.T, params.pattern, rng)
        jobs.append(JobData(np.full((m, k), x), weights))
    weights = np.repeat(np.where(steps == 1, w.max, w.min)[:, None], n, axis=1)
    prune(weights.T, params.pattern, rng)
    return (*jobs, JobData(np.repeat(np.where(steps == 1, i.min, i.max)[None], m, axis=0), weights))


def standard_scenarios(params: SystolicNMParams) -> list[Scenario]:
    """Return the scenarios of one core: alone, back to back, paused, reset half way, corner values, paths."""
    jobs = random_jobs(params)
    first = params.cycles(fold_job(params, jobs[0]))
    return [
        Scenario(jobs),
        Scenario(jobs, back_to_back=True, check_paths=True),
        Scenario(jobs[::-1], back_to_back=True),
        Scenario(jobs, back_to_back=True, idle_percent=40, seed=1),
        Scenario(jobs, back_to_back=True, back_pressure_percent=60, seed=2),
        Scenario(jobs, idle_percent=20, back_pressure_percent=20, seed=3, check_paths=True),
        Scenario(jobs[1:3], back_to_back=True, reset_after_cycles=params.rows + 3),
        Scenario(jobs[:3], back_to_back=True, reset_after_cycles=first + 1),
        Scenario(corner_jobs(params), back_to_back=True),
    ]


def timed_scenarios(params: SystolicNMParams, gaps_cycles: Iterable[int]) -> list[Scenario]:
    """Return pairs of jobs, the second offered at every one of `gaps_cycles` after the first."""
    r, c, places = params.rows, params.cols, params.rows * params.group
    pairs = [
        ((1, 1, 1), (1, 1, 1)),
        ((2 * r + 2, 2 * places + 1, c), (1, 1, c)),
        ((1, 1, c), (r + 2, places + 1, c + 1)),
    ]
    return [
        Scenario(
            (random_operands(params, first, gap), random_operands(params, second, gap + 1)),
            back_to_back=True,
            earliest_issue_cycles=(0, gap),
        )
        for first, second in pairs
        for gap in gaps_cycles
    ]


def every_pattern(params: SystolicNMParams, seed: int) -> JobData:
    """Return a job in which every group position of the array holds every index pattern once.

    The activations are one place of each group after another, each alone and at distinct values, and three random
    vectors: the results determine each weight and its place.
    """
    group, rng = params.group, np.random.default_rng(seed)
    patterns = [at for kept in range(params.kept + 1) for at in combinations(range(group), kept)]
    i, form = params.input_format, params.weight_format
    values = [value for value in (form.min, form.max, 1, *range(form.min, form.max + 1)) if value][: 4 * params.kept]
    rows = params.rows * len(patterns)
    w = np.zeros((rows * group, params.cols), np.int64)
    for word, column in product(range(rows), range(params.cols)):
        row, fold = word % params.rows, word // params.rows
        at = patterns[(fold + row + column) % len(patterns)]
        w[[word * group + place for place in at], column] = rng.choice(values, len(at))
    a = rng.integers(i.min, i.max, (group + 3, rows * group), dtype=np.int64, endpoint=True)
    for place in range(group):
        a[place, np.arange(rows * group) % group != place] = 0
    return JobData(a, w)


MUTANTS = (
    ("index below its value", "w[(n+1)*SLOT_W-1-:INDEX_W]", "w[n*SLOT_W+:INDEX_W]"),
    ("index of the first slot", "w[(n+1)*SLOT_W-1-:INDEX_W]", "w[SLOT_W-1-:INDEX_W]"),
    ("last place never chosen", "m < GROUP; m++", "m < GROUP - 1; m++"),
    ("places reversed", "= a[m*INPUT_W+:INPUT_W]", "= a[(GROUP-1-m)*INPUT_W+:INPUT_W]"),
    ("value of the first slot", ".w     (w[n*SLOT_W+:WEIGHT_W])", ".w     (w[WEIGHT_W-1:0])"),
    ("slots not added up", ".addend(partial[n])", ".addend(addend)"),
    ("choice kept", "selected = '0;", "selected = a[INPUT_W-1:0];"),
)
"""Name, old text and new text: mistakes of ``systolic_mac.sv``; the other modules are those of the dense cores."""

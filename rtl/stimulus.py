"""Operands that a core is verified with: random codes, corners, and every pair of codes where they are few."""

from __future__ import annotations

from functools import singledispatch
from itertools import combinations, product
from typing import Any, Literal

import numpy as np

from hw_models.dot import DotParams
from hw_models.products import IntArray, NMProduct
from workloads.errors import InputError

Corner = Literal["random", "extreme", "sparse", "single"]
CORNERS: tuple[Corner, ...] = ("random", "extreme", "sparse", "single")
"""Uniform codes; codes at the ends of their ranges; mostly the code nearest to zero; the shortest work there is."""
EXHAUSTIVE_LIMIT = 1 << 16


@singledispatch
def draw(params: object, rng: np.random.Generator, corner: Corner) -> tuple[Any, ...]:
    """Return operands of one piece of work of the core `params`, as its `golden` takes them.

    Raises
    ------
    InputError
        If the type of `params` has no stimulus.
    """
    raise InputError(f"rtl: no stimulus for parameters of type {type(params).__name__}; add one")


@singledispatch
def exhaustive(params: object) -> tuple[Any, ...] | None:
    """Return operands that hold every pair of codes, or None where there are more than 2**16 of them."""
    return None


def codes(alphabet: IntArray, shape: tuple[int, ...], rng: np.random.Generator, corner: Corner) -> IntArray:
    """Return codes of `alphabet` of the given shape."""
    if corner == "extreme":
        return rng.choice(alphabet[[0, -1]], shape)
    drawn = rng.choice(alphabet, shape)
    if corner == "sparse":
        nearest = alphabet[np.argmin(np.abs(alphabet))]
        drawn = np.where(rng.random(shape) < 0.8, nearest, drawn)
    return drawn


@draw.register
def _(params: DotParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray]:
    reductions = 1 if corner == "single" else int(rng.integers(1, 7))
    length = 1 if corner == "single" else int(rng.integers(1, 5 * params.elements + 2))
    left, right = params.product.alphabets
    a, w = (codes(alphabet, (reductions, length), rng, corner) for alphabet in (left, right))
    if isinstance(params.product, NMProduct):
        prune(w, params.product, rng)
    return a, w


def prune(w: IntArray, pattern: NMProduct, rng: np.random.Generator) -> None:
    """Set all but N random weights of each group of M along the last axis to zero, in place."""
    for row in w:
        for start in range(0, len(row), pattern.m):
            size = min(pattern.m, len(row) - start)
            row[start + rng.permutation(size)[pattern.n :]] = 0


@exhaustive.register
def _(params: DotParams) -> tuple[IntArray, IntArray] | None:
    kind = params.product
    left, right = kind.alphabets
    if isinstance(kind, NMProduct):  # every way to place up to N weights in a group; values from the ends of the ranges
        places = [at for kept in range(kind.n + 1) for at in combinations(range(kind.m), kept)]
        if len(places) * 4 > EXHAUSTIVE_LIMIT:
            return None
        a = np.array([[left[0] if m % 2 else left[-1] for m in range(kind.m)]] * (2 * len(places)))
        a[len(places) :] = a[len(places) :, ::-1]
        w = np.zeros_like(a)
        for row, at in enumerate(places * 2):
            w[row, list(at)] = [right[0] if (slot + row) % 2 else right[-1] for slot in range(len(at))]
        return a, w
    if kind.elements > 1:  # few bits per element: every pair of short vectors, in the first places of a lane
        width = min(kind.elements, 3)
        if len(left) ** width * len(right) ** width > EXHAUSTIVE_LIMIT:
            return None
        pairs = list(product(product(left, repeat=width), product(right, repeat=width)))
        return np.array([a for a, _ in pairs]), np.array([w for _, w in pairs])
    if len(left) * len(right) > EXHAUSTIVE_LIMIT:
        return None
    a, w = (grid.reshape(-1, 1) for grid in np.meshgrid(left, right, indexing="ij"))
    return a, w

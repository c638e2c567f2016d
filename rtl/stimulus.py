"""Operands that a core is verified with: random codes, corners, and every pair of codes where they are few."""

from __future__ import annotations

from functools import singledispatch
from itertools import combinations, product
from typing import Any, Literal

import numpy as np

from hw_models.dot import DotParams
from hw_models.fp16 import FP16Params, float_codes
from hw_models.products import IntArray, NMProduct
from hw_models.topk import TopKParams
from workloads.errors import InputError
from workloads.formats import Float16

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
    for row in w.reshape(-1, w.shape[-1]):
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


@draw.register
def _(params: TopKParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray]:
    shape = (1, 1) if corner == "single" else (int(rng.integers(1, 5)), int(rng.integers(1, 4 * params.elements + 2)))
    form = params.slots.weight_format
    few = form.bits <= 16  # of a wide format, a sample with both ends and zero
    alphabet = params.alphabet if few else np.unique([form.min, 0, form.max, *rng.integers(form.min, form.max, 4096)])
    return (codes(alphabet, shape, rng, corner),)


@exhaustive.register
def _(params: TopKParams) -> tuple[IntArray] | None:
    if 1 << (params.value_format.bits * params.m) > EXHAUSTIVE_LIMIT:
        return None
    return (np.array(list(product(params.alphabet, repeat=params.m))).reshape(1, -1),)  # one row of every group


FP16_FINITE = tuple(sign | bits for bits in (0, 1, 0x3FF, 0x400, 0x3C00, 0x3C01, 0x7BFF) for sign in (0, 0x8000))
"""FP16 codes at the ends of their kinds: zeros, subnormals, least normal, one, one and an ulp, greatest."""
FP16_CORNERS = (*FP16_FINITE, 0x7C00, 0xFC00, 0x7E00, 0xFE00, 0x7C01, 0xFFFF)
"""Those, infinities, and quiet and signalling not-a-numbers."""


@draw.register
def _(params: FP16Params, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray]:
    rotations, length = (1, 1) if corner == "single" else (int(rng.integers(1, 4)), int(rng.integers(1, 12)))
    shape = (2, rotations * params.interleave, length)
    if corner == "extreme":
        a, w = rng.choice(FP16_CORNERS if rng.random() < 0.5 else FP16_FINITE, shape)
    else:  # few enough that most sums stay finite, with signs that cancel and magnitudes that fall into subnormals
        values = rng.normal(size=shape) * 2.0 ** rng.integers(-14, 8, shape)
        a, w = float_codes(values.astype(np.float16), Float16())
    if corner == "sparse":
        a = np.where(rng.random(a.shape) < 0.8, a & 0x8000, a)  # zeros of either sign
    return a, w

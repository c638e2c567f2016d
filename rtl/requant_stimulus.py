"""Operands that a requantiser is verified with."""

from __future__ import annotations

import numpy as np

from hw_models.products import IntArray, codes_of
from hw_models.requant import RequantParams
from rtl.stimulus import Corner, codes, draw, exhaustive

Operands = tuple[IntArray | int, ...]


@draw.register
def _(params: RequantParams, rng: np.random.Generator, corner: Corner) -> Operands:
    one = corner == "single"
    rows, channels = (1 if one else int(rng.integers(1, most)) for most in (8, 3 * params.lanes + 2))
    form, out, added = params.accumulator_format, params.output_format, params.residual
    most = (1 << params.multiplier_bits) - 1
    if corner == "extreme":
        bias, factor, r_factor = (rng.choice(ends, channels) for ends in ((form.min, form.max), (0, most), (0, most)))
        shift = rng.choice([0, 1, params.multiplier_bits, params.MAX_SHIFT], channels)
        x = rng.choice([form.min, form.max], (rows, channels))
    else:
        bias, factor, shift, x, r_factor = _within(params, rng, corner, (rows, channels))
    zero, *ends = rng.integers(out.min, out.max, 3, endpoint=True).tolist()
    low, high = (out.min, out.max) if rng.random() < 0.6 else sorted(ends)
    operands = (x, bias, factor, shift, np.array([zero, low, high]))
    if not added:
        return operands
    alphabet = codes_of(added)
    r = codes(alphabet, (rows, channels), rng, corner)
    return *operands, r, r_factor, int(codes(alphabet, (1,), rng, corner)[0])


def _within(
    params: RequantParams, rng: np.random.Generator, corner: Corner, shape: tuple[int, int]
) -> tuple[IntArray, ...]:
    """Return bias, multiplier, shift, accumulators and residual multipliers whose results mostly lie in the range.

    Sparse: multipliers that are powers of two and short shifts, so that halves are met.
    """
    form, out = params.accumulator_format, params.output_format
    channels = shape[1]
    sparse = corner == "sparse"
    place = rng.integers(0, 4 if sparse else params.multiplier_bits, channels)
    factor = np.int64(1) << place
    if not sparse:
        factor += rng.integers(0, factor)
    gain = rng.integers(0, 3 if sparse else params.accumulator_bits - 1, channels)
    shift = np.minimum(place + gain, params.MAX_SHIFT)
    bias = rng.integers(form.min >> 1, form.max >> 1, channels, endpoint=True)
    bias >>= rng.integers(0, params.accumulator_bits, channels)
    wanted = rng.uniform(1.1 * out.min - 2, 1.1 * out.max + 2, shape)
    x = np.clip(np.round(wanted * 2.0**shift / factor) - bias, form.min, form.max).astype(np.int64)
    x = np.clip(x + rng.integers(-1, 2, shape), form.min, form.max)
    r_factor = np.minimum(np.int64(1) << shift, (1 << params.multiplier_bits) - 1)
    r_factor = r_factor if sparse else rng.integers(0, r_factor, endpoint=True)
    return bias, factor, shift, x, r_factor


@exhaustive.register
def _(params: RequantParams) -> Operands | None:
    """Return every accumulator of up to 10 bits with every shift; multipliers around the power of two of the shift."""
    if params.accumulator_bits > 10:
        return None
    form, out = params.accumulator_format, params.output_format
    shift = np.arange(params.MAX_SHIFT + 1)
    most = (1 << params.multiplier_bits) - 1
    gain = params.accumulator_bits - params.output_format.bits
    factor = np.minimum(np.int64(1) << np.maximum(shift - gain, 0), most) - np.where(shift % 3 == 2, 1, 0)
    x = np.repeat(codes_of(form)[:, None], len(shift), axis=1)
    bias = np.resize(np.array([0, 1, -1]), len(shift))
    operands = (x, bias, np.maximum(factor, 0), shift, np.array([0 if out.signed else 1, out.min, out.max]))
    if not params.residual:
        return operands
    r = np.resize(codes_of(params.residual), x.shape)
    return *operands, r, np.minimum(np.int64(1) << shift, most), int(params.residual.max)

"""Cycles of the reads of a pass: operands of a window for one pixel, or of many pixels for one place of the window.

Elements of a window are numbered ``tap * channels + channel``; the rows of the array take them in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from hw_models.accelerator import ReductionUnroll
from hw_models.banking.banks import Banks, Layout
from hw_models.banking.conflicts import NOTHING, grid_cycles
from hw_models.banking.reads import InputRead, WeightRead, input_pitches, weight_pitches
from hw_models.products import IntArray

IDLE = -1
"""Element of a lane beyond the ragged edge."""


def window_folds(taps: int, channels: int, lanes: int, unroll: ReductionUnroll) -> IntArray:
    """Return the elements that each lane holds, shape (folds, lanes), `IDLE` beyond the ragged edge.

    ``window``: consecutive elements; ``channel``: no lane set goes beyond a tap.
    """
    if unroll == "window":
        return in_lanes(np.arange(taps * channels, dtype=np.int64), lanes)
    of_tap = in_lanes(np.arange(channels, dtype=np.int64), lanes)
    shifted = np.arange(taps, dtype=np.int64)[:, None, None] * channels + of_tap
    return np.where(of_tap == IDLE, IDLE, shifted).reshape(-1, lanes)


def in_lanes(values: IntArray, lanes: int) -> IntArray:
    """Return `values` in rows of `lanes`, filled up with `IDLE`."""
    folds = -(-len(values) // lanes)
    full = np.full(folds * lanes, IDLE, dtype=np.int64)
    full[: len(values)] = values
    return full.reshape(folds, lanes)


@dataclass(frozen=True)
class _Pixels:
    """Every output pixel of a pass in order: address of the origin of its window, and which taps lie in the tile."""

    base: IntArray
    valid: IntArray
    """Shape (pixels,): index into `masks`."""
    masks: IntArray
    """Shape (kinds, taps), 1 where the tap lies in the tile."""
    tap_offset: IntArray
    channel_pitch: int


def _pixels(read: InputRead, layout: Layout, group: int) -> _Pixels:
    pn, pg, pz, py, px, pc = input_pitches(read, layout)
    origin = read.start_bytes + (read.first[1] + group) * pg + read.first[5] * pc
    base = origin + (read.first[0] + np.arange(read.pixels[0], dtype=np.int64)) * pn
    valid = np.zeros(len(base), dtype=np.int64)
    masks = np.ones((1, 1), dtype=np.int64)
    for axis, pitch in enumerate((pz, py, px)):
        first, extent = read.first[2 + axis], read.tile[2 + axis]
        at = first + np.arange(read.pixels[1 + axis], dtype=np.int64) * read.stride[axis]
        taps = at[:, None] + np.arange(read.taps[axis], dtype=np.int64) * read.dilation[axis]
        kinds, kind = np.unique((taps >= 0) & (taps < extent), axis=0, return_inverse=True)
        base = (base[:, None] + at * pitch).ravel()
        valid = (valid[:, None] * len(kinds) + np.ravel(kind)).ravel()
        masks = (masks[:, None, :, None] * kinds.astype(np.int64)[None, :, None, :]).reshape(
            len(masks) * len(kinds), -1
        )
    steps = [np.arange(t, dtype=np.int64) * d for t, d in zip(read.taps, read.dilation, strict=True)]
    tap = (steps[0][:, None, None] * pz + steps[1][:, None] * py + steps[2] * px).ravel()
    return _Pixels(base, valid, masks, tap, pc)


def input_by_window(
    read: InputRead, layout: Layout, banks: Banks, group: int, folds: IntArray
) -> tuple[IntArray, IntArray]:
    """Return the cycles in which the lanes of each fold get their elements of a pixel's window.

    Returns
    -------
    counts : ndarray of int64, shape (kinds,)
        Pixels of each kind; pixels of a kind take the same time.
    cycles : ndarray of int64, shape (kinds, folds)
    """
    pixels = _pixels(read, layout, group)
    tap, channel = folds // read.channels, folds % read.channels
    offset = np.where(folds == IDLE, NOTHING, pixels.tap_offset[tap] + channel * pixels.channel_pitch)
    counts, cycles = [], []
    for kind in np.unique(pixels.valid):
        residues, number = np.unique(pixels.base[pixels.valid == kind] % banks.period_bytes, return_counts=True)
        seen = np.where((folds != IDLE) & (pixels.masks[kind][tap] == 1), offset, NOTHING)
        counts.append(number)
        cycles.append(grid_cycles(residues, seen, banks))
    return np.concatenate(counts), np.concatenate(cycles)


def input_by_pixel(read: InputRead, layout: Layout, banks: Banks, group: int, lanes: int) -> IntArray:
    """Return the cycles in which `lanes` pixels get one element of their windows each.

    Returns
    -------
    ndarray of int64, shape (groups of pixels, elements)
    """
    pixels = _pixels(read, layout, group)
    taps, period = prod(read.taps), banks.period_bytes
    order = in_lanes(np.arange(len(pixels.base), dtype=np.int64), lanes)
    known = (order != IDLE)[:, None, :] & (pixels.masks[pixels.valid[order]].transpose(0, 2, 1) == 1)
    at = pixels.base[order][:, None, :] + pixels.tap_offset[None, :, None]
    # whole periods of the first lane change nothing: rows that differ by them become equal
    lowest = np.where(known, at, np.iinfo(np.int64).max).min(axis=2, keepdims=True)
    at = at - np.where(known.any(axis=2, keepdims=True), lowest // period * period, 0)
    offsets = np.where(known, at, NOTHING).reshape(-1, lanes)
    channels = np.arange(read.channels, dtype=np.int64) * pixels.channel_pitch
    cycles = grid_cycles(channels, offsets, banks)
    return cycles.T.reshape(len(order), taps * read.channels)


def _weight_elements(read: WeightRead, layout: Layout, group: int) -> tuple[IntArray, int]:
    """Return the address of every element for the first output of the pass, and the pitch of outputs."""
    pg, pt, pc, pk = weight_pitches(read, layout)
    origin = read.start_bytes + (read.first[0] + group) * pg + read.first[1] * pc + read.first[2] * pk
    taps = np.arange(read.tile[1], dtype=np.int64) * pt
    elements: IntArray = (origin + taps[:, None] + np.arange(read.channels, dtype=np.int64) * pc).ravel()
    return elements, pk


def weights_by_output(read: WeightRead, layout: Layout, banks: Banks, group: int, lanes: int) -> IntArray:
    """Return the cycles in which `lanes` outputs get their weight of one element, shape (output folds, elements)."""
    elements, pitch = _weight_elements(read, layout, group)
    outputs = in_lanes(np.arange(read.outputs, dtype=np.int64), lanes)
    return grid_cycles(elements, np.where(outputs == IDLE, NOTHING, outputs * pitch), banks).T


def weights_by_window(read: WeightRead, layout: Layout, banks: Banks, group: int, folds: IntArray) -> IntArray:
    """Return the cycles in which the lanes of each fold get their weights of one output, shape (outputs, folds)."""
    elements, pitch = _weight_elements(read, layout, group)
    offsets = np.where(folds == IDLE, NOTHING, elements[folds])
    return grid_cycles(np.arange(read.outputs, dtype=np.int64) * pitch, offsets, banks)

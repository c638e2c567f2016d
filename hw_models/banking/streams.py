"""Cycles of the reads of a pass: operands of a window for one pixel, or of many pixels for one place of the window.

Operands of a window are numbered ``tap * words + word``, a word being the input channels that a PE takes at once (one
on a dense array); the rows of the array take them in that order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from hw_models.accelerator import ReductionUnroll
from hw_models.banking.banks import Banks, Layout
from hw_models.banking.conflicts import NOTHING, grid_cycles
from hw_models.banking.reads import InputRead, WeightRead, input_pitches, packed_pitches, weight_pitches
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
    read: InputRead, layout: Layout, banks: Banks, group: int, folds: IntArray, places: int = 1
) -> tuple[IntArray, IntArray]:
    """Return the cycles in which the lanes of each fold get their operands of a pixel's window.

    Returns
    -------
    counts : ndarray of int64, shape (kinds,)
        Pixels of each kind; pixels of a kind take the same time.
    cycles : ndarray of int64, shape (kinds, folds)
    """
    pixels = _pixels(read, layout, group)
    folds = _channels_of(folds, read.channels, places)
    tap, channel = folds // read.channels, folds % read.channels
    offset = np.where(folds == IDLE, NOTHING, pixels.tap_offset[tap] + channel * pixels.channel_pitch)
    counts, cycles = [], []
    for kind in np.unique(pixels.valid):
        residues, number = np.unique(pixels.base[pixels.valid == kind] % banks.period_bytes, return_counts=True)
        seen = np.where((folds != IDLE) & (pixels.masks[kind][tap] == 1), offset, NOTHING)
        counts.append(number)
        cycles.append(grid_cycles(residues, seen, banks))
    return np.concatenate(counts), np.concatenate(cycles)


def _channels_of(folds: IntArray, channels: int, places: int) -> IntArray:
    """Return the elements, ``tap * channels + channel``, of the words in `folds`: `places` lanes for each."""
    if places == 1:
        return folds
    words = -(-channels // places)
    tap, word = folds[..., None] // words, folds[..., None] % words
    channel = word * places + np.arange(places, dtype=np.int64)
    found = np.where((folds[..., None] != IDLE) & (channel < channels), tap * channels + channel, IDLE)
    return found.reshape(len(folds), -1)


def _by_word(
    starts: IntArray, channels: int, places: int, offsets: Callable[[int], IntArray], banks: Banks
) -> IntArray:
    """Return the cycles of reading every word, shape (rows of `starts`, words, p).

    Parameters
    ----------
    starts : ndarray of int64, shape (rows, words)
        Address of each word.
    offsets : callable
        Returns the lane offsets, shape (p, lanes), of words of so many channels.
    """
    last = channels - (starts.shape[1] - 1) * places
    parts = []
    for part, size in ((starts[:, :-1], places), (starts[:, -1:], last)):
        if part.size:
            at = offsets(size)
            parts.append(grid_cycles(part.ravel(), at, banks).reshape(*part.shape, len(at)))
    return np.concatenate(parts, axis=1)


def input_by_pixel(read: InputRead, layout: Layout, banks: Banks, group: int, lanes: int, places: int = 1) -> IntArray:
    """Return the cycles in which `lanes` pixels get one operand of their windows each.

    Returns
    -------
    ndarray of int64, shape (groups of pixels, operands)
    """
    pixels = _pixels(read, layout, group)
    taps, period = prod(read.taps), banks.period_bytes
    order = in_lanes(np.arange(len(pixels.base), dtype=np.int64), lanes)
    known = (order != IDLE)[:, None, :] & (pixels.masks[pixels.valid[order]].transpose(0, 2, 1) == 1)
    at = pixels.base[order][:, None, :] + pixels.tap_offset[None, :, None]
    # whole periods of the first lane change nothing: rows that differ by them become equal
    lowest = np.where(known, at, np.iinfo(np.int64).max).min(axis=2, keepdims=True)
    at = at - np.where(known.any(axis=2, keepdims=True), lowest // period * period, 0)
    lowest_channel = np.where(known, at, NOTHING).reshape(-1, lanes)

    def offsets(size: int) -> IntArray:
        more = np.arange(size, dtype=np.int64) * pixels.channel_pitch
        wide = np.where(lowest_channel[..., None] == NOTHING, NOTHING, lowest_channel[..., None] + more)
        return wide.reshape(len(wide), -1)

    words = -(-read.channels // places)
    starts = np.arange(words, dtype=np.int64)[None, :] * (places * pixels.channel_pitch)
    cycles: IntArray = _by_word(starts, read.channels, places, offsets, banks)[0].T.reshape(len(order), taps * words)
    return cycles


def _word_starts(read: WeightRead, layout: Layout, group: int) -> tuple[IntArray, int, int]:
    """Return the address of every word for output 0 of the tile, shape (taps, words), and pitches of c and k.

    Of packed words the pitches are 0: their bits are for `_packed_bytes` to find.
    """
    taps, words = np.arange(read.tile[1], dtype=np.int64), np.arange(read.words, dtype=np.int64)
    if read.word_bits:
        pg, pt, row = packed_pitches(read)
        origin = read.start_bytes + (read.first[0] + group) * pg + read.first[1] // read.places * row
        return origin + taps[:, None] * pt + words * row, 0, 0
    pg, pt, pc, pk = weight_pitches(read, layout)
    origin = read.start_bytes + (read.first[0] + group) * pg + read.first[1] * pc + read.first[2] * pk
    return origin + taps[:, None] * pt + words * (read.places * pc), pc, pk


def _packed_bytes(read: WeightRead, outputs: IntArray) -> IntArray:
    """Return the bytes, from the row's first on, of the packed words of `outputs`; shape (..., bytes of a word).

    `outputs` are counted from the first of the pass; `IDLE` ones and bytes beyond a word are `NOTHING`.
    """
    first = (read.first[2] + outputs[..., None]) * read.word_bits
    byte = first // 8 + np.arange((read.word_bits + 14) // 8, dtype=np.int64)
    return np.where((outputs[..., None] == IDLE) | (byte > (first + read.word_bits - 1) // 8), NOTHING, byte)


def weights_by_output(read: WeightRead, layout: Layout, banks: Banks, group: int, lanes: int) -> IntArray:
    """Return the cycles in which `lanes` outputs get their weights of one operand, shape (output folds, operands)."""
    starts, pc, pk = _word_starts(read, layout, group)
    outputs = in_lanes(np.arange(read.outputs, dtype=np.int64), lanes)

    def offsets(size: int) -> IntArray:
        if read.word_bits:
            return _packed_bytes(read, outputs).reshape(len(outputs), -1)
        at = outputs[..., None] * pk + np.arange(size, dtype=np.int64) * pc
        return np.where(outputs[..., None] == IDLE, NOTHING, at).reshape(len(outputs), -1)

    cycles = _by_word(starts, read.channels, read.places, offsets, banks)
    return cycles.reshape(-1, len(outputs)).T


def weights_by_window(read: WeightRead, layout: Layout, banks: Banks, group: int, folds: IntArray) -> IntArray:
    """Return the cycles in which the lanes of each fold get their weights of one output, shape (outputs, folds)."""
    starts, pc, pk = _word_starts(read, layout, group)
    outputs = np.arange(read.outputs, dtype=np.int64)
    if not read.word_bits:
        elements = _channels_of(folds, read.channels, read.places)
        tap, channel = elements // read.channels, elements % read.channels
        at = starts[tap, channel // read.places] + channel % read.places * pc
        return grid_cycles(outputs * pk, np.where(elements == IDLE, NOTHING, at), banks)
    result = np.empty((read.outputs, len(folds)), dtype=np.int64)
    rows = np.where(folds == IDLE, NOTHING, starts.ravel()[folds])
    turn = 8 // gcd(read.word_bits, 8)
    for phase in range(min(turn, read.outputs)):  # words that begin at the same bit of a byte are alike
        own = outputs[phase::turn]
        bytes_of = _packed_bytes(read, own)
        inside = np.where(bytes_of[0] == NOTHING, NOTHING, bytes_of[0] - bytes_of[0, 0])
        wide = np.where((rows[..., None] == NOTHING) | (inside == NOTHING), NOTHING, rows[..., None] + inside)
        result[phase::turn] = grid_cycles(bytes_of[:, 0], wide.reshape(len(folds), -1), banks)
    return result

"""Packed codes: several small codes in a word, in order or interleaved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hw_models.products import IntArray
from workloads.errors import InputError

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Eight nibbles of a 32-bit word: even codes in the low half, odd codes in the high half, so that one mask and shift
gives neighbours in 16-bit lanes. Source: the packed INT4 layout of AWQ kernels (arXiv 2306.00978)."""


def linear_order(codes: int) -> tuple[int, ...]:
    """Return the order of words whose first code is lowest."""
    return tuple(range(codes))


def check_order(order: tuple[int, ...]) -> None:
    """Refuse an order that is no permutation, or that is too long for a word.

    Raises
    ------
    InputError
        If a code is missing or there are more than 64.
    """
    if not 1 <= len(order) <= 64 or sorted(order) != list(range(len(order))):
        raise InputError(
            f"packed order: {order}, bound is each of 0..{max(0, len(order) - 1)} once and 1..64 codes per word; "
            f"write a permutation"
        )


def pack_codes(codes: IntArray, bits: int, order: tuple[int, ...]) -> list[int]:
    """Return words: place i of a word, lowest first, holds code ``order[i]`` of the word's codes.

    Parameters
    ----------
    codes : ndarray of int, shape (length,)
        Codes of `bits` bits, unsigned; `length` is whole words.

    Examples
    --------
    >>> [f"{word:08x}" for word in pack_codes(np.arange(8), 4, AWQ_ORDER)]
    ['75316420']
    """
    check_order(order)
    if codes.ndim != 1 or len(codes) % len(order):
        raise InputError(
            f"packed codes: shape is {codes.shape}, bound is whole words of {len(order)} codes in one row; pad it"
        )
    if codes.size and (codes.min() < 0 or codes.max() >= 1 << bits):
        raise InputError(
            f"packed codes: they span {codes.min()}..{codes.max()}, bound is 0..{(1 << bits) - 1}; clamp them"
        )
    rows = codes.reshape(-1, len(order))[:, list(order)].tolist()
    return [sum(code << (place * bits) for place, code in enumerate(row)) for row in rows]


def unpack_codes(words: Sequence[int], bits: int, order: tuple[int, ...]) -> IntArray:
    """Return the codes of `words`, shape (length,): the inverse of `pack_codes`.

    Examples
    --------
    >>> unpack_codes([0x75316420], 4, AWQ_ORDER).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    check_order(order)
    mask = (1 << bits) - 1
    codes = np.zeros((len(words), len(order)), dtype=np.int64)
    for row, word in enumerate(words):
        for place, code in enumerate(order):
            codes[row, code] = (word >> (place * bits)) & mask
    return codes.reshape(-1)

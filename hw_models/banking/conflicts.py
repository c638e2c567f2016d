"""Exact cycles of reads from banks, counted over the periodic pattern of their addresses.

A bank gives `ports` words per cycle; lanes that want the same word of a bank get it together. A read of several lanes
takes as many cycles as its busiest bank needs, one at least, and its operands enter the array together.
"""

from __future__ import annotations

import numpy as np

from hw_models.banking.banks import Banks
from hw_models.products import IntArray

NOTHING = np.iinfo(np.int64).min
"""Offset of a lane that reads nothing: border, or beyond the ragged edge."""
CHUNK = 1 << 21


def read_cycles(addresses: IntArray, banks: Banks) -> IntArray:
    """Return the cycles of each read.

    Parameters
    ----------
    addresses : ndarray of int64, shape (reads, lanes)
        Byte addresses, or negative for a lane that reads nothing.

    Returns
    -------
    ndarray of int64, shape (reads,)
    """
    count, lanes = addresses.shape
    result = np.ones(count, dtype=np.int64)
    step = max(1, CHUNK // max(lanes, banks.count))
    for start in range(0, count, step):
        part = addresses[start : start + step]
        words = np.sort(np.where(part < 0, -1, part // banks.word_bytes), axis=1)
        fresh = words >= 0
        fresh[:, 1:] &= words[:, 1:] != words[:, :-1]
        rows, at = np.nonzero(fresh)
        load = np.bincount(rows * banks.count + banks.bank_of(words[rows, at]), minlength=len(part) * banks.count)
        most = load.reshape(len(part), banks.count).max(axis=1)
        result[start : start + step] = np.maximum(1, -(-most // banks.ports))
    return result


def grid_cycles(bases: IntArray, offsets: IntArray, banks: Banks) -> IntArray:
    """Return the cycles of reading, for every base, every row of lane offsets.

    Whole periods of the bank pattern can be taken off a base, so bases count by their residue and equal rows once.

    Parameters
    ----------
    bases : ndarray of int64, shape (b,)
        Byte addresses, >= 0.
    offsets : ndarray of int64, shape (p, lanes)
        Added to a base per lane; `NOTHING` for a lane that reads nothing.

    Returns
    -------
    ndarray of int64, shape (b, p)
    """
    residues, of_base = np.unique(bases % banks.period_bytes, return_inverse=True)
    rows, of_row = np.unique(offsets, axis=0, return_inverse=True)
    # offsets may be negative (a window that starts in the border): whole periods lift them
    lowest = int(rows[rows != NOTHING].min(initial=0))
    lift = -(lowest // banks.period_bytes) * banks.period_bytes if lowest < 0 else 0
    at = np.where(rows == NOTHING, NOTHING, rows + lift)
    result = np.empty((len(residues), len(rows)), dtype=np.int64)
    step = max(1, CHUNK // max(1, at.size))
    for start in range(0, len(residues), step):
        part = residues[start : start + step]
        places = np.where(at == NOTHING, -1, at + part[:, None, None])
        result[start : start + step] = read_cycles(places.reshape(-1, at.shape[1]), banks).reshape(len(part), -1)
    return result[np.ravel(of_base)][:, np.ravel(of_row)]

"""Matrices to stream beats of a systolic core and back.

A beat is a number whose bits ``i * width`` upwards hold word `i`, as on the core's data ports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hw_models.products import packed
from hw_models.systolic import FoldJob, IntArray, SystolicParams
from hw_models.systolic_nm import SystolicNMParams
from workloads.formats import Int


@dataclass(frozen=True, slots=True)
class JobBeats:
    """What goes into a core for one job, and how many beats come out.

    `weights` and `inputs` are in stream order; `job` is what the ``cfg`` port gets.
    """

    job: FoldJob
    weights: tuple[int, ...]
    inputs: tuple[int, ...]
    results: int


def pack_beats(words: IntArray, width_bits: int) -> tuple[int, ...]:
    """Return one number per row of `words`, shape (beats, lanes), taking the low `width_bits` bits of each word.

    Examples
    --------
    >>> [hex(beat) for beat in pack_beats(np.array([[1, -1], [2, 3]]), 8)]
    ['0xff01', '0x302']
    """
    beats, lanes = words.shape
    bits = (words[:, :, None] >> np.arange(width_bits)) & 1
    octets = np.packbits(bits.reshape(beats, lanes * width_bits).astype(np.uint8), axis=1, bitorder="little")
    return tuple(int.from_bytes(row.tobytes(), "little") for row in octets)


def unpack_beats(beats: Sequence[int], lanes: int, form: Int) -> IntArray:
    """Return the words of `beats` as codes of `form`, shape (len(beats), lanes).

    Examples
    --------
    >>> unpack_beats([0xFF01], 2, Int(8)).tolist()
    [[1, -1]]
    """
    size = -(-lanes * form.bits // 8)
    octets = np.frombuffer(b"".join(beat.to_bytes(size, "little") for beat in beats), dtype=np.uint8)
    bits = np.unpackbits(octets.reshape(len(beats), size), axis=1, bitorder="little", count=lanes * form.bits)
    weights = np.left_shift(np.int64(1), np.arange(form.bits, dtype=np.int64))
    codes = (bits.reshape(len(beats), lanes, form.bits).astype(np.int64) * weights).sum(axis=2)
    return form.wrap(codes)


def job_beats(params: SystolicParams, a: IntArray, w: IntArray) -> JobBeats:
    """Return the streams of the job ``a @ w``; matrices are padded with zeros to whole folds.

    IS: what a WS core takes for ``w.T @ a.T``, on the other port each. N:M sparse: an activation word holds a group of
    the reduction and a weight word the slots of one; where the dense core counts places of K, these count groups.

    Parameters
    ----------
    a, w : ndarray of int, shapes (M, K) and (K, N)
    """
    if params.dataflow == "is":
        exchanged = job_beats(_exchanged(params), w.T, a.T)
        return JobBeats(exchanged.job, weights=exchanged.inputs, inputs=exchanged.weights, results=exchanged.results)
    rows, cols = params.rows, params.cols
    group = params.group if isinstance(params, SystolicNMParams) else 1
    job = params.job_for(a.shape[0], a.shape[1], w.shape[1])
    folds = [(row, col) for col in range(job.col_folds) for row in range(job.row_folds)]
    wide = _padded(_padded(w, 1, cols), 0, group)
    if params.dataflow == "ws":
        places = rows * group
        deep = _padded(a, 1, places)
        tall = _padded(wide, 0, places)
        inputs = [deep[:, r * places : (r + 1) * places] for r, _ in folds]
        weights = [tall[r * places : (r + 1) * places, c * cols : (c + 1) * cols] for r, c in folds]
        results = job.col_folds * job.stream
    else:
        tall = _padded(_padded(a, 0, rows), 1, group).reshape(-1, job.stream, group)
        inputs = [tall[r * rows : (r + 1) * rows].swapaxes(0, 1).reshape(job.stream, -1) for r, _ in folds]
        weights = [wide[:, c * cols : (c + 1) * cols] for _, c in folds]
        results = job.folds * rows
    inputs_packed = pack_beats(np.concatenate(inputs), params.input_format.bits)
    return JobBeats(job, _weight_beats(params, np.concatenate(weights)), inputs_packed, results)


def _weight_beats(params: SystolicParams, w: IntArray) -> tuple[int, ...]:
    """Return the beats of weight rows, shape (places, cols): a place each, or a group each where they are sparse."""
    if not isinstance(params, SystolicNMParams):
        return pack_beats(w, params.weight_format.bits)
    groups = w.reshape(-1, params.group, params.cols).swapaxes(1, 2).reshape(-1, params.group)
    words = params.pattern.weight_words(groups, np.ones_like(groups, dtype=np.bool_))
    beats = np.array(words, dtype=object).reshape(-1, params.cols)
    return tuple(packed(beat, params.pattern.weight_bits) for beat in beats)


def result_matrix(params: SystolicParams, beats: Sequence[int], m: int, n: int) -> IntArray:
    """Return the (M, N) result of a job from its result beats, padding removed."""
    if params.dataflow == "is":
        return result_matrix(_exchanged(params), beats, n, m).T
    vectors = unpack_beats(beats, params.cols, params.accumulator_format)
    if params.dataflow == "ws":
        columns = vectors.reshape(-1, m, params.cols)
    else:
        # Rows of a fold leave last row first.
        per_fold = vectors.reshape(-1, params.rows, params.cols)[:, ::-1]
        row_folds = -(-m // params.rows)
        columns = per_fold.reshape(-1, row_folds * params.rows, params.cols)
    return np.concatenate(list(columns), axis=1)[:m, :n]


def _exchanged(params: SystolicParams) -> SystolicParams:
    """Return the WS core that an IS core is, with the formats of the operands exchanged."""
    return replace(params, dataflow="ws", input_format=params.weight_format, weight_format=params.input_format)


def _padded(matrix: IntArray, axis: int, multiple: int) -> IntArray:
    """Return `matrix` with zeros appended along `axis` up to a multiple of `multiple`."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (0, -matrix.shape[axis] % multiple)
    padded: npt.NDArray[np.int64] = np.pad(matrix, pad)
    return padded

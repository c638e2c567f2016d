"""Broadcast of non-zero activations to PEs with compressed columns and queues (EIE style), from real masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_models.skip_pe import Mask
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class BroadcastRow:
    """`pes` PEs, each with every `pes`-th row of the matrix, and a queue of `queue` activations.

    A non-zero activation goes to all queues in one cycle, when the fullest has room. A PE takes a cycle per non-zero
    weight of its rows in that column, and none where it has none.
    """

    pes: int
    queue: int

    def __post_init__(self) -> None:
        for key in ("pes", "queue"):
            if getattr(self, key) < 1:
                raise InputError(f"broadcast row: {key} is {getattr(self, key)}, bound is >= 1; correct it")

    def cycles(self, activations: Mask, weights: Mask) -> tuple[int, float]:
        """Return (cycles, cycles of the same work spread evenly).

        Parameters
        ----------
        activations : ndarray of bool, shape (columns,)
        weights : ndarray of bool, shape (rows, columns)
        """
        if activations.shape != weights.shape[1:]:
            raise InputError(
                f"broadcast row: activations {activations.shape} and weights {weights.shape}, bound is (columns,) and "
                f"(rows, columns); reshape them"
            )
        live = weights[:, activations]
        if not live.shape[1]:
            return 0, 0.0
        padded = np.zeros((-(-live.shape[0] // self.pes) * self.pes, live.shape[1]), dtype=np.bool_)
        padded[: live.shape[0]] = live
        work = padded.reshape(-1, self.pes, live.shape[1]).sum(axis=0, dtype=np.int64)
        end = np.zeros(self.pes, dtype=np.int64)
        ends = np.zeros((self.queue, self.pes), dtype=np.int64)
        sent = 0
        for index in range(work.shape[1]):
            # The place of the activation `queue` before this one is free once the slowest PE is done with it.
            sent = max(sent + 1, int(ends[index % self.queue].max()))
            end = np.maximum(end, sent) + work[:, index]
            ends[index % self.queue] = end
        return int(end.max(initial=0)), float(work.sum()) / self.pes

"""Lower bounds of what is left to pay inside a point of the lattice: running minima over the cuts still to place.

A state says which cut of each operand comes next, going inwards. The loops directly above a cut may all be taken to
index its operand: others cost no more below it, and leave every bound as it is.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from mappers.nests.lattice import FloatArray
from mappers.zigzag_search.tables import BoolArray, CutTables, IntArray, Place, final_bits, partial_bits

SHORT = 4
"""Axes of up to so many entries are run through one by one, which is faster."""
State = tuple[int, ...]
"""For each operand the number of the cut placed last; its memories at the start."""
Key = tuple[int, int]
"""(operand, cut)."""


class CutCosts:
    """Costs of the cuts as the search adds them up, and least sums of them.

    Attributes
    ----------
    energy : dict of key to array
        Energy of each cut.
    bits : dict of key to array
        Least bits that the tile inside takes in its memory.
    fits : dict of key to array of bool
        Where the tile alone fits.
    wider : dict of cut to array
        Bits more that a tile of the output takes if loops inside still add to it.
    unfinished : array of bool
        Where loops outside add to the output.
    """

    def __init__(self, tables: CutTables) -> None:
        self.tables, model = tables, tables.model
        self.memories = {memory.name: memory for memory in model.hardware.memories}
        self.chains = [[memory.name for memory in model.fine[role].memories] for role in tables.roles]
        self.start: State = tables.levels
        self.end: State = tuple(1 if role == tables.output else 0 for role in range(len(tables.roles)))
        self.room = {name: memory.size_bits for name, memory in self.memories.items()}
        for role, chain in enumerate(self.chains):
            self.room[chain[-1]] -= tables.whole[role] * final_bits(model.tensors[role])
        self.energy: dict[Key, FloatArray] = {}
        self.bits: dict[Key, IntArray] = {}
        self.fits: dict[Key, BoolArray] = {}
        self.wider: dict[int, IntArray] = {}
        for (role, k), cut in tables.cuts.items():
            if k < self.end[role]:
                continue
            self.energy[role, k] = self._full(np.where(cut.allowed, cut.energy_pj, np.inf))
            if k == 0:
                continue
            memory = self.memories[self.chains[role][k - 1]]
            full = model.whole(tables.roles[role], k - 1)
            twice = np.where(cut.tile < full, 2, 1) if memory.double_buffered else np.int64(1)
            self.bits[role, k] = self._full(cut.tile * self._least_width(role, k) * twice)
            if role == tables.output:
                part = partial_bits(model.tensors[role]) * twice
                self.wider[k] = self._full(np.maximum(0, cut.tile * part - self.bits[role, k]))
            self.fits[role, k] = self._full(self.bits[role, k] <= self.room[memory.name])
        self.unfinished = self._full(self._unfinished())
        first = tables.cuts[tables.output, 0]
        self.always_pj = float(self._full(first.energy_pj).ravel()[0])
        self._rooms: dict[tuple[Key, ...], BoolArray] = {}

    def _full(self, table: Any) -> Any:
        """Return a view of `table` over the whole lattice."""
        return np.broadcast_to(table, self.tables.shape)

    def _unfinished(self) -> BoolArray:
        space = self.tables.model.fine[self.tables.roles[self.tables.output]]
        steps = 1
        for dim, count in self.tables.model.steps.items():
            steps *= count if dim in space.irrelevant else 1
        found: BoolArray = self.tables.inside(space.irrelevant) < steps
        return found

    def _least_width(self, role: int, k: int) -> IntArray:
        """Return the bits of an element inside cut `k`: partial sums where loops outside, or positions, add to it.

        A tile is also of partial sums if loops of its own memory add to it, which only later cuts tell; in the
        innermost memory all loops that add are inside or outside.
        """
        tensor = self.tables.model.tensors[role]
        space = self.tables.model.fine[tensor.name]
        part, last = partial_bits(tensor), final_bits(tensor)
        if not tensor.output:
            return np.full([1] * len(self.tables.shape), part, dtype=np.int64)
        apart = any(dim in space.irrelevant for joined in space.spatial[k:] for dim, size in joined if size > 1)
        adds = any(count > 1 and dim in space.irrelevant for dim, count in self.tables.model.steps.items())
        return np.where(self._unfinished() | apart | (adds and k == 1), part, last)

    def held(self, state: State, name: str) -> tuple[Key, ...]:
        """Return the cuts inside which `name` holds a tile in `state`."""
        return tuple(
            (role, level + 1)
            for role, chain in enumerate(self.chains)
            for level, own in enumerate(chain[:-1])
            if own == name and level + 1 >= state[role]
        )

    def together(self, keys: tuple[Key, ...], name: str) -> BoolArray:
        """Return where tiles of `keys` fit into `name` together."""
        if keys not in self._rooms:
            total = sum((self.bits[key] for key in keys), start=np.zeros(1, dtype=np.int64))
            self._rooms[keys] = self._full(total <= self.room[name])
        return self._rooms[keys]

    def steps(self, state: State) -> list[Key]:
        """Return the cuts that may come next."""
        return [(role, at - 1) for role, at in enumerate(state) if at > self.end[role]]

    def after(self, state: State, key: Key) -> State:
        """Return the state once `key` is placed."""
        return (*state[: key[0]], key[1], *state[key[0] + 1 :])

    def least(self, cost: dict[Key, FloatArray]) -> dict[State, FloatArray]:
        """Return for every state the least sum of `cost` over the cuts left, at every point."""
        found: dict[State, FloatArray] = {}
        spans = (range(low, high + 1) for low, high in zip(self.end, self.start, strict=True))
        for state in product(*spans):
            if state == self.end:
                found[state] = np.zeros(self.tables.shape)
                continue
            best: FloatArray | None = None
            for key in self.steps(state):
                after = self.after(state, key)
                value = found[after] + cost[key]
                if key[1]:
                    name = self.chains[key[0]][key[1] - 1]
                    value = np.where(self.together(self.held(after, name), name), value, np.inf)
                self._inside(value, key[0])
                best = value if best is None else np.minimum(best, value, out=best)
            assert best is not None  # every state but the last has a step
            found[state] = best
        return found

    def _inside(self, value: FloatArray, role: int) -> None:
        """Replace every entry by the least of it and of all points inside it along the dimensions of `role`."""
        for axis in self.tables.relevant[role]:
            length = value.shape[axis]
            if length > SHORT:
                np.minimum.accumulate(value, axis=axis, out=value)
                continue
            head: Any = (slice(None),) * axis
            for at in range(1, length):
                here = value[(*head, slice(at, at + 1))]
                np.minimum(here, value[(*head, slice(at - 1, at))], out=here)

    def busy(self, place: Place) -> dict[Key, FloatArray]:
        """Return the cycles that each cut keeps a port busy, all periods but one; infinite where it may not stand."""
        found = {}
        for key in self.energy:
            cut = self.tables.cuts[key]
            total: FloatArray = np.zeros([1] * len(self.tables.shape))
            for job in (*cut.up, *cut.down):
                if job.place == place:
                    total = total + job.real * (cut.count - 1)
            found[key] = np.where(cut.allowed, self._full(total), np.inf)
        return found

    def late(self, place: Place) -> dict[Key, FloatArray]:
        """Return the cycles by which transfers take longer than their period, all periods but one."""
        found = {}
        for key in self.energy:
            cut = self.tables.cuts[key]
            total: FloatArray = np.zeros([1] * len(self.tables.shape))
            for job in (*cut.up, *cut.down):
                if job.place == place:
                    total = total + np.maximum(job.real - cut.period, 0) * (cut.count - 1)
            found[key] = self._full(total)
        return found

    def always(self, place: Place) -> tuple[float, float]:
        """Return busy and late cycles of `place` at the multipliers' own sums, which no mapping changes."""
        cut = self.tables.cuts[self.tables.output, 0]
        jobs = [job for job in cut.down if job.place == place]
        count = self.tables.total - 1
        reals = [int(self._full(job.real).ravel()[0]) for job in jobs if bool(self._full(job.active).ravel()[0])]
        return float(sum(reals) * count), float(sum(max(0, real - 1) for real in reals) * count)

    def ends(self) -> dict[Key, FloatArray]:
        """Return the least cycles of loading the first or storing the last tile through each cut.

        What passes once may use idle cycles of its port, down to the cycles of one of the operand's innermost tiles.
        """
        found = {}
        for key in self.energy:
            role, k = key
            cut = self.tables.cuts[key]
            total: FloatArray = np.zeros([1] * len(self.tables.shape))
            ways = ("th", "fl") if role == self.tables.output else ("fh", "tl")
            for job in (*cut.up, *cut.down):
                if k and job.way in ways:
                    inner = self.tables.cuts[role, 1].whole_bits
                    bits = inner if k == 1 else inner.min()
                    once = np.minimum(job.real, -(-bits // job.port.max_bits_per_cycle))
                    total = np.maximum(total, np.where(cut.count == 1, once, job.real))
            found[key] = self._full(total)
        return found

    def outer(self, role: int) -> tuple[Key, FloatArray, FloatArray]:
        """Return the outermost cut of `role`, the cycles of a transfer at the outer port, and its share of the port.

        The share is what transfers that happen more than once leave to none that happen once.
        """
        key = (role, self.tables.levels[role] - 1)
        cut = self.tables.cuts[key]
        way = "fl" if role == self.tables.output else "tl"
        job = next(job for job in cut.down if job.way == way)
        share = np.where(cut.count > 1, cut.rate_down / job.port.max_bits_per_cycle, 0.0)
        return key, self._full(job.real.astype(float)), self._full(share)

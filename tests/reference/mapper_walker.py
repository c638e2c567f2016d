"""Naive twin of the mapper's cost model: walks every loop of one mapping and touches every element.

Nothing here uses the cost model. Tiles are boxes of coordinates, DMA runs are found by sorting element addresses, the
array is stepped fold by fold, and the energy is added access by access.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

from hw_models.accelerator import Accelerator
from hw_models.array_timing import accesses_of, timing_of
from hw_models.systolic import FoldJob
from mappers.problem import TileProblem

DIMS = ("N", "G", "K", "C", "OD", "OY", "OX")
MATTERS = {"I": ["N", "G", "C", "OD", "OY", "OX"], "W": ["G", "K", "C"], "O": ["N", "G", "K", "OD", "OY", "OX"]}
Box = dict[str, tuple[int, int]]
Tiles = dict[str, int]


@dataclass(frozen=True)
class Traffic:
    """What one tensor moved under one order and cut."""

    fits: bool
    bytes: int
    load_beats: int
    store_beats: int
    loads: int
    stores: int
    first_load_beats: int
    last_store_beats: int
    vector_cycles: int
    last_vector_cycles: int
    energy_pj: Fraction


def ceil(a: int, b: int) -> int:
    """Return a / b rounded up."""
    return (a + b - 1) // b


class Walker:
    """Counts for one problem on one accelerator."""

    def __init__(self, problem: TileProblem, accelerator: Accelerator) -> None:
        self.p, self.acc = problem, accelerator
        self.beat = accelerator.dram.beat_bytes
        self.issue = accelerator.core.dma.issue_cycles

    # --- boxes ------------------------------------------------------------------------------------------------------

    def visits(self, role: str, tiles: Tiles, outside: tuple[str, ...]) -> list[Box]:
        """Return the tiles of `role` in the order they are held, walking the loops `outside` its cut one by one."""
        seen: list[Box] = []
        for steps in product(*(range(ceil(self.p.size[d], tiles[d])) for d in outside)):
            at = dict(zip(outside, steps, strict=True))
            box = {}
            for d in MATTERS[role]:
                if d in at:
                    box[d] = (at[d] * tiles[d], min((at[d] + 1) * tiles[d], self.p.size[d]))
                else:
                    box[d] = (0, self.p.size[d])
            if not seen or seen[-1] != box:
                seen.append(box)
        return seen

    def rows_of(self, dim: str, low: int, high: int) -> tuple[int, int]:
        """Return (first, last + 1) of the real inputs that outputs low..high-1 touch, by trying every tap."""
        w = self.p.window(dim)
        touched = [o * w.stride - w.pad_before + t * w.dilation for o in range(low, high) for t in (0, w.taps - 1)]
        low_in, high_in = max(min(touched), 0), min(max(touched), w.size_in - 1)
        return (low_in, high_in + 1) if low_in <= high_in else (0, 0)

    def beats_of(self, sizes: tuple[int, ...], box: tuple[tuple[int, int], ...], element_bytes: int) -> int:
        """Return the beats of a box of a dense array: sort its addresses, split them into runs, count beats."""
        addresses = []
        for point in product(*(range(a, b) for a, b in box)):
            at = 0
            for size, coordinate in zip(sizes, point, strict=True):
                at = at * size + coordinate
            addresses.append(at)
        addresses.sort()
        beats, run = 0, 0
        for index, address in enumerate(addresses):
            run += 1
            if index + 1 == len(addresses) or addresses[index + 1] != address + 1:
                beats += ceil(run * element_bytes, self.beat)
                run = 0
        return beats

    def image_beats(
        self, box: Box, planes: tuple[tuple[int, int], ...], sizes: tuple[int, ...], inner: str, b: int
    ) -> int:
        """Return the beats of a tile of an activation; each group is a box of its own unless all channels are there."""
        s = self.p.size
        channels, groups = box[inner], box["G"]
        if not self.p.groups_interleaved:
            return self.beats_of((s["G"], s["N"], *sizes, s[inner]), (groups, box["N"], *planes, channels), b)
        if channels == (0, s[inner]):
            joined = (groups[0] * s[inner], groups[1] * s[inner])
            return self.beats_of((s["N"], *sizes, s["G"] * s[inner]), (box["N"], *planes, joined), b)
        total = 0
        for g in range(*groups):
            part = (g * s[inner] + channels[0], g * s[inner] + channels[1])
            total += self.beats_of((s["N"], *sizes, s["G"] * s[inner]), (box["N"], *planes, part), b)
        return total

    # --- tensors ----------------------------------------------------------------------------------------------------

    def input(self, tiles: Tiles, outside: tuple[str, ...]) -> Traffic:
        """Walk the input."""
        p = self.p
        if p.input_place == "resident":
            return Traffic(True, 0, 0, 0, 0, 0, 0, 0, 0, 0, Fraction(0))
        total = beats = first = 0
        visits = self.visits("I", tiles, outside)
        held = {d: tiles[d] if d in outside else p.size[d] for d in DIMS}
        for number, box in enumerate(visits):
            planes = tuple(self.rows_of(d, *box[d]) for d in ("OD", "OY", "OX"))
            sizes = tuple(p.window(d).size_in for d in ("OD", "OY", "OX"))
            here = self.image_beats(box, planes, sizes, "C", p.input_bytes)
            moved = prod(b - a for a, b in (box["N"], box["G"], box["C"], *planes)) * p.input_bytes
            total, beats, first = total + moved, beats + here, here if number == 0 else first
        energy = (self.acc.dram.energy_pj_per_byte + self.acc.core.input.write_pj_per_byte) * total
        fits = p.input_tile_bytes(held) <= p.input_slot_bytes
        return Traffic(fits, total, beats, 0, len(visits), 0, first, 0, 0, 0, energy)

    def weight(self, tiles: Tiles, outside: tuple[str, ...]) -> Traffic:
        """Walk the weights."""
        p = self.p
        total = beats = first = most = 0
        visits = self.visits("W", tiles, outside)
        for number, box in enumerate(visits):
            g, k, c = (box[d][1] - box[d][0] for d in ("G", "K", "C"))
            row = ceil(sum(p.word_bits if p.stored_places > 1 else 8 * p.weight_bytes for _ in range(k)), 8)
            rows = len(range(0, c, p.stored_places)) * p.taps
            moved = g * (rows * row + (8 * k if p.channel_terms else 0))
            total, beats, most = total + moved, beats + ceil(moved, self.beat), max(most, moved)
            first = ceil(moved, self.beat) if number == 0 else first
        energy = (self.acc.dram.energy_pj_per_byte + self.acc.core.weight.write_pj_per_byte) * total
        return Traffic(most <= p.weight_slot_bytes, total, beats, 0, len(visits), 0, first, 0, 0, 0, energy)

    def output(self, tiles: Tiles, outside: tuple[str, ...]) -> Traffic:
        """Walk the output: a tile that comes back was spilled and returns, its last visit finishes it."""
        p, core, s = self.p, self.acc.core, self.p.size
        visits = self.visits("O", tiles, outside)
        count: dict[tuple[tuple[str, tuple[int, int]], ...], int] = {}
        for box in visits:
            count[tuple(box.items())] = count.get(tuple(box.items()), 0) + 1
        times = max(count.values())
        assert min(count.values()) == times, "every tile is visited equally often"
        done = dict.fromkeys(count, 0)
        total = loads = stores = beats_in = beats_out = vector = last_vector = last_store = 0
        spilled = staged = residual_room = sums_room = buffered = kept_on_chip = 0
        for box in visits:
            key = tuple(box.items())
            n = {d: b - a for d, (a, b) in box.items()}
            sums = prod(n.values())
            rows = sum(1 for _ in product(*(range(*box[d]) for d in MATTERS["O"] if d != "K"))) * ceil(
                n["K"], p.sum_lanes
            )
            sums_room = max(sums_room, rows * p.sum_lanes * p.sum_bytes)
            if done[key]:
                loads += 1
            done[key] += 1
            if done[key] < times:
                stores, spilled = stores + 1, spilled + sums * p.sum_bytes
                continue
            if p.residual == "dram":
                residual_room = max(residual_room, sums * p.output_bytes)
                planes = (box["OD"], box["OY"], box["OX"])
                beats_in += self.image_beats(box, planes, (s["OD"], s["OY"], s["OX"]), "K", p.output_bytes)
                total, loads, buffered = total + sums * p.output_bytes, loads + 1, buffered + sums * p.output_bytes
            steps = sum(ceil(n["G"] * n["K"], core.vector.lanes) for _ in range(n["N"] * n["OD"] * n["OY"] * n["OX"]))
            work = p.simple_passes * core.vector.simple_cycles + p.special_passes * core.vector.special_cycles
            last_vector = self.issue + steps * work + core.vector.latency_cycles
            vector += last_vector
            planes, sizes = self.pooled(box)
            kept = n["N"] * n["G"] * n["K"] * prod(b - a for a, b in planes) * p.output_bytes
            if p.output_place == "dram":
                last_store = self.image_beats(box, planes, sizes, "K", p.output_bytes)
                beats_out, total, stores = beats_out + last_store, total + kept, stores + 1
                staged, buffered = max(staged, kept), buffered + kept
            else:
                kept_on_chip += kept
        beats_in += (times - 1) * ceil(p.output_elements(s) * p.sum_bytes, self.beat)
        beats_out += (times - 1) * ceil(p.output_elements(s) * p.sum_bytes, self.beat)
        energy = self.acc.dram.energy_pj_per_byte * (total + 2 * spilled)
        energy += (core.accumulator.read_pj_per_byte + core.accumulator.write_pj_per_byte) * spilled
        energy += 2 * core.vector.buffer_pj_per_byte * buffered + core.input.write_pj_per_byte * kept_on_chip
        fits = times == 1 or not p.sums_stay
        fits = (
            fits
            and sums_room <= p.sum_slot_bytes
            and staged <= p.output_slot_bytes
            and residual_room <= p.operand_slot_bytes
        )
        return Traffic(
            fits, total + 2 * spilled, beats_in, beats_out, loads, stores, 0, last_store, vector, last_vector, energy
        )

    def starts_rows(self, tiles: Tiles, outside: tuple[str, ...]) -> bool:
        """Tell whether every command's first output channel, within the held sums, is the first of a row of them."""
        held = [(0, self.p.size["K"])] if "K" not in outside else []
        held = held or [(first, first + tiles["K"]) for first in range(0, self.p.size["K"], tiles["K"])]
        return all(
            (first - low) % self.p.sum_lanes == 0
            for low, high in held
            for first in range(low, min(high, self.p.size["K"]), tiles["K"])
        )

    def pooled(self, box: Box) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
        """Return the box of the finished tile and the image's size after the fused pooling, window by window."""
        if self.p.whole_plane:
            return ((0, 1),) * 3, (1, 1, 1)
        planes, sizes = [box["OD"]], [self.p.size["OD"]]
        for d, step in (("OY", self.p.pool[0]), ("OX", self.p.pool[1])):
            windows = sorted({o // step for o in range(*box[d])})
            planes.append((windows[0], windows[-1] + 1))
            sizes.append(len({o // step for o in range(self.p.size[d])}))
        return tuple(planes), tuple(sizes)

    # --- array ------------------------------------------------------------------------------------------------------

    def jobs(self, tiles: Tiles, flow: str) -> Iterator[tuple[FoldJob, bool]]:
        """Yield the fold job of every compute command with its accumulate flag, C innermost."""
        p, array = self.p, self.acc.core.array
        order = ("N", "G", "K", "OD", "OY", "OX", "C")
        for steps in product(*(range(0, p.size[d], tiles[d]) for d in order)):
            n = {d: min(tiles[d], p.size[d] - start) for d, start in zip(order, steps, strict=True)}
            m = n["N"] * n["OD"] * n["OY"] * n["OX"]
            columns = n["G"] * ceil(n["K"], array.cols)
            words = len(range(0, n["C"], p.places))
            if flow == "is":
                m, columns = n["K"], n["G"] * ceil(m, array.cols)
            if flow == "os":
                job = FoldJob(words * p.taps, ceil(m, array.rows), columns)
            elif array.reduction_unroll == "window":
                job = FoldJob(m, ceil(words * p.taps, array.rows), columns)
            else:
                job = FoldJob(m, p.taps * ceil(words, array.rows), columns)
            yield job, steps[-1] > 0

    def array_time(self, tiles: Tiles, flow: str) -> tuple[int, int]:
        """Return (stream end of back-to-back commands, the same for the last command alone), fold by fold."""
        timing = timing_of(self.acc.core.array, flow, 1 << 20)
        rows = self.acc.core.array.rows
        jobs = [job for job, _ in self.jobs(tiles, flow)]

        def run(jobs: list[FoldJob]) -> int:
            end = last_start = None
            for job in jobs:
                issue = (0 if last_start is None else last_start) + self.issue
                for fold in range(job.folds):
                    if flow == "os":
                        first = issue + job.stream if end is None else end + max(job.stream, rows)
                        end = first if fold or end is None else max(first, issue + job.stream)
                        last_start = end - job.stream
                        continue
                    loaded = issue + timing.load_cycles if fold == 0 else last_start + rows
                    last_start = loaded if end is None else max(loaded, end)
                    end = last_start + job.stream
            return end

        return run(jobs), run(jobs[-1:])

    def energy(self, tiles: Tiles, flow: str) -> Fraction:
        """Return the energy of the array and its side of the scratchpads, and of the vector unit's work."""
        p, core, array = self.p, self.acc.core, self.acc.core.array
        left_out = sum(max(0, min(p.places, p.size["C"] - c) - p.kept) for c in range(0, p.size["C"], p.places))
        total = array.mac_pj * prod(p.size.values()) * (p.size["C"] - left_out) / p.size["C"]
        for job, accumulate in self.jobs(tiles, flow):
            moved = accesses_of(array, flow, job, accumulate)
            total += core.input.read_pj_per_byte * moved.input_reads * p.input_bytes * p.places
            weight_bits = p.word_bits if p.stored_places > 1 else 8 * p.weight_bytes * p.places
            total += core.weight.read_pj_per_byte * moved.weight_reads * Fraction(weight_bits, 8)
            total += core.accumulator.read_pj_per_byte * moved.accumulator_reads * p.sum_bytes
            total += core.accumulator.write_pj_per_byte * moved.accumulator_writes * p.sum_bytes
        outputs = p.output_elements(p.size)
        total += core.vector.op_pj * outputs * (p.simple_passes + p.special_passes + p.chained_functions)
        return total + core.accumulator.read_pj_per_byte * outputs * p.sum_bytes

    # --- whole ------------------------------------------------------------------------------------------------------

    def latency(self, flow: str, array: tuple[int, int], i: Traffic, w: Traffic, o: Traffic) -> Fraction:
        """Return the greatest of the bounds that the cost model documents."""
        dram, core = self.acc.dram, self.acc.core
        timing = timing_of(core.array, flow, 1 << 20)
        beat = dram.beats_cycles(1)
        stored = self.p.output_place == "dram"
        request = self.issue + max(1, dram.latency_cycles)
        begin = request + beat * (i.first_load_beats + (0 if self.p.weights_ready else w.first_load_beats))
        tail = beat * o.last_store_beats + (self.issue + 1 + dram.latency_cycles if stored else 0)
        finish = timing.drain_latency_cycles + o.last_vector_cycles + tail
        reads = i.load_beats + w.load_beats + o.load_beats
        first_result = self.issue + timing.load_cycles + 1 + timing.drain_latency_cycles

        def slots(total: Fraction) -> Fraction:  # divided among the slots, in whole units of bus time
            return Fraction(total * beat.denominator // core.dma.outstanding, beat.denominator)

        def halves(
            of: Traffic, ready: int, buffers: int
        ) -> Fraction:  # each tile holds one of the buffers from its request to its end
            held = request * max(0, of.loads - ready) + beat * (of.load_beats - ready * of.first_load_beats)
            held += array[0] - timing.load_cycles - self.issue
            return Fraction(held * beat.denominator // buffers, beat.denominator)

        inputs, by_input = i.loads, halves(i, 0, core.input.halves)
        for d in (
            "OD",
            "OY",
            "OX",
        ):  # where a tile may have no input, nothing is said of the buffers and slots it takes
            if any(self.rows_of(d, o, o + 1) == (0, 0) for o in range(self.p.size[d])):
                inputs, by_input = 0, Fraction(0)
        taking_turns = Fraction(0)
        if core.accumulator.halves == 1:  # array and vector unit work on the same sums, one after the other
            taking_turns = begin + array[0] + timing.drain_latency_cycles + o.vector_cycles + tail
        return max(
            taking_turns,
            begin + array[0] + finish,
            begin + first_result + o.vector_cycles + tail,
            request + beat * (reads + o.store_beats) + (dram.latency_cycles if stored else 0),
            request + beat * (i.load_beats + w.load_beats) + array[1] + finish,
            by_input + finish,
            halves(w, 1 if self.p.weights_ready else 0, core.weight.halves) + finish,
            slots(request * (inputs + w.loads + o.loads) + beat * reads),
            slots((self.issue + 1 + dram.latency_cycles) * o.stores + beat * o.store_beats),
        )

    def bus_charge(self, beats: int) -> Fraction:
        """Return a quarter of the time of `beats`, in whole units of bus time."""
        beat = self.acc.dram.beats_cycles(1)
        return Fraction(beat.numerator * beats // 4, beat.denominator)

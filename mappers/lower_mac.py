"""Lowering of a MAC group: the walk over its tile loops, tile by tile.

Per step of the nest: weight tile, input tile, (spilled sums), compute; per finished output tile: vector work and
store. A tile is replaced when one of the loops outside its cut that matter to it steps (`Mapping.transfers`), so the
commands move exactly what the mapping says. Weights are asked for before the input: the input of the next layer may
have to wait for stores of this one, its weights need not.

Partial sums that a mapping cannot keep are stored as they are (int32) from the accumulator and loaded back into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import prod

from hw_models.accelerator import Accelerator
from hw_models.banking.passes import PassClock, PassReads
from mappers.bank_reads import BankReads
from mappers.commands import ComputeCommand, LoadCommand, StoreCommand, Transfer, VectorCommand
from mappers.draft import Draft, Places, ProgramDraft, Tile, Waits, merge
from mappers.dram_layout import DramImage
from mappers.group import Group
from mappers.legality import job_of
from mappers.mac_views import Box, LoopView, WeightView
from mappers.mapping import RELEVANT, TILED_DIMS, Mapping
from mappers.problem import TileProblem
from mappers.resident import Resident
from mappers.views import Range
from mappers.walk import WeightPart
from mappers.walks import array_walk, channel_terms, vector_walk
from workloads.errors import InternalError

SPATIAL = ("OD", "OY", "OX")
Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MacOperands:
    """Where the tensors of one MAC part are.

    Parameters
    ----------
    input, output, residual : LoopView
        `output` is that of the pooled result where a pooling is fused.
    weight : WeightView or None
        None for packed constant weights.
    resident_input, resident_residual, resident_output : Resident or None
        On chip instead of in DRAM.
    input_places : tuple of (half, offset)
        For the tiles of an input in DRAM; empty: every buffer.
    names : tuple of str
        Tensors input, weight, output, residual.
    """

    input: LoopView
    weight: WeightView | None
    output: LoopView
    residual: LoopView | None
    names: tuple[str, str, str, str]
    resident_input: Resident | None = None
    resident_residual: Resident | None = None
    resident_output: Resident | None = None
    input_places: Places = ()


@dataclass(slots=True)
class _Held:
    """Tiles of one tensor now in a scratchpad (several where a resident tensor was written in parts)."""

    key: Key | None = None
    ranges: dict[str, Range] = field(default_factory=dict)
    tiles: list[Tile] = field(default_factory=list)


@dataclass(slots=True)
class _Sums:
    """The output tile under way."""

    key: Key
    tile: Tile
    ranges: dict[str, Range]
    waits: Waits


class MacLowering:
    """Lowers one part of a MAC group into a program draft."""

    def __init__(
        self,
        draft: ProgramDraft,
        image: DramImage,
        accelerator: Accelerator,
        layer: int,
        group: Group,
        problem: TileProblem,
        mapping: Mapping,
        operands: MacOperands,
        part: int,
    ) -> None:
        self.draft, self.image, self.layer = draft, image, layer
        self.group, self.problem, self.mapping, self.at = group, problem, mapping, operands
        self.size = problem.size
        self.array = accelerator.core.array
        self.block = f"{group.lead.name}/{part}"
        self.input, self.weight = _Held(), _Held()
        self.sums: _Sums | None = None
        self.steps_done: dict[Key, int] = {}
        self.spilled: dict[Key, Draft] = {}
        self.cuts = dict(mapping.cuts)
        inside = prod(loop.trips for loop in mapping.loops[self.cuts["O"] :])
        outside = prod(loop.trips for loop in mapping.loops[: self.cuts["O"]] if loop.dim == "C")
        self.steps_needed = inside * outside
        self.coefficient = draft.channels(channel_terms(problem))
        self.banks: BankReads | None = None
        if accelerator.core.has_banks:
            resident = operands.resident_input is not None
            row = mapping.tile("OX", self.size["OX"])
            self.banks = BankReads(accelerator.core, problem, mapping.dataflow, row, resident)
            self.layouts = self.banks.choose(self._passes(), PassClock(accelerator.core))

    # --- walk -------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Emit every command."""
        for steps, at in self._steps():
            self._step(at, {role: self._key(role, steps) for role in "IWO"})
        self._finish_sums()
        self._close(self.weight)
        if self.at.resident_input is None:
            self._close(self.input)

    def _steps(self) -> Iterator[tuple[tuple[int, ...], dict[str, Range]]]:
        """Yield every step of the nest and the (start, stop) of its loops."""
        loops = self.mapping.loops
        for steps in product(*(range(loop.trips) for loop in loops)):
            at = {
                loop.dim: (step * loop.tile, min((step + 1) * loop.tile, loop.extent))
                for loop, step in zip(loops, steps, strict=True)
            }
            yield steps, at

    def _passes(self) -> Iterator[tuple[dict[str, Range], dict[str, Range], dict[str, Range]]]:
        """Yield what every pass works on, and the ranges of the input and the weight tile it reads."""
        for _, at in self._steps():
            data = self._ranges(at, self.cuts["I"]) if self.at.resident_input is None else self._ranges(at, 0)
            yield self._ranges(at, len(self.mapping.loops)), data, self._ranges(at, self.cuts["W"])

    def _bank_reads(self, ranges: dict[str, Range]) -> PassReads | None:
        """Return what the pass over `ranges` reads from banks, where there are any."""
        if self.banks is None:
            return None
        resident = self.at.resident_input
        if resident is not None:
            data, start = self._ranges({}, 0), resident.offset_bytes
        else:
            data, start = self.input.ranges, self.input.tiles[0].slot.offset_bytes if self.input.tiles else 0
        starts = (start, self.weight.tiles[0].slot.offset_bytes)
        return self.banks.reads(ranges, data, self.weight.ranges, self.layouts, starts)

    def _close(self, held: _Held) -> None:
        for tile in held.tiles:
            self.draft.close(tile)

    def _key(self, role: str, steps: tuple[int, ...]) -> Key:
        loops = self.mapping.loops[: self.cuts[role]]
        return tuple(step for step, loop in zip(steps, loops, strict=False) if loop.dim in RELEVANT[role])

    def _ranges(self, at: dict[str, Range], cut: int) -> dict[str, Range]:
        """Return (start, stop) of every dimension in the tile held at `cut`."""
        ranges = {dim: (0, self.size[dim]) for dim in TILED_DIMS}
        for loop in self.mapping.loops[:cut]:
            ranges[loop.dim] = at[loop.dim]
        return ranges

    def _step(self, at: dict[str, Range], keys: dict[str, Key]) -> None:
        if self.sums is not None and keys["O"] != self.sums.key:
            self._finish_sums()
        if keys["W"] != self.weight.key:
            self._hold_weight(keys["W"], self._ranges(at, self.cuts["W"]))
        if keys["I"] != self.input.key:
            self._hold_input(keys["I"], self._ranges(at, self.cuts["I"]))
        if self.sums is None:
            self._open_sums(keys["O"], self._ranges(at, self.cuts["O"]))
        self._compute(self._ranges(at, len(self.mapping.loops)))

    # --- operands ---------------------------------------------------------------------------------------------------

    def _load(
        self, tile: Tile, waits: Waits, tensor: str, transfers: tuple[Transfer, ...], part: WeightPart | None = None
    ) -> None:
        draft = self.draft.add("load", self.layer, LoadCommand, waits, tensor=tensor, transfers=transfers, part=part)
        self.draft.write(tile, draft)

    def _address(self, view: LoopView | WeightView) -> int:
        return self.image.address(view.view.storage)

    def _hold_weight(self, key: Key, held: dict[str, Range]) -> None:
        self._close(self.weight)
        size = self.problem.weight_tile_bytes(_lengths(held))
        tile, waits = self.draft.open("weight", size)
        weight, part = self.at.weight, None
        if weight is None:
            name = "/".join(str(held[dim][0]) for dim in ("G", "K", "C"))
            transfers: tuple[Transfer, ...] = (Transfer(self.image.block(f"{self.block}/w/{name}", size), size),)
            part = WeightPart(held["G"], held["K"], held["C"], self._coefficient(held))
        else:
            transfers = weight.transfers(self._address(weight), held["G"], held["K"], held["C"])
            merge(waits, self.draft.stored(weight.view.storage, transfers))
        self._load(tile, waits, self.at.names[1], transfers, part)
        self.weight = _Held(key, held, [tile])

    def _coefficient(self, held: dict[str, Range]) -> int:
        """Return the entry of the first output channel of `held` in the program's table of channel terms."""
        return self.coefficient + held["G"][0] * self.size["K"] + held["K"][0]

    def _hold_input(self, key: Key, held: dict[str, Range]) -> None:
        view, resident = self.at.input, self.at.resident_input
        spans = [self.problem.window(dim).span(held[dim][0], held[dim][1] - held[dim][0]) for dim in SPATIAL]
        if resident is not None:
            self.input = _Held(key, held, resident.touching(view.box(held["N"], held["G"], held["C"], spans)))
            return
        self._close(self.input)
        self.input = _Held(key, held)
        transfers = view.transfers(self._address(view), held["N"], held["G"], held["C"], spans)
        if not transfers:
            return  # the tile sees only padding
        size = sum(transfer.bytes for transfer in transfers)
        if self.banks is not None:
            size = self.banks.input_tile_bytes(held, self.layouts[0])
        tile, waits = self.draft.open("input", size, self.at.input_places)
        merge(waits, self.draft.stored(view.view.storage, transfers))
        self._load(tile, waits, self.at.names[0], transfers)
        self.input.tiles.append(tile)

    # --- sums -------------------------------------------------------------------------------------------------------

    def _open_sums(self, key: Key, ranges: dict[str, Range]) -> None:
        size = self.problem.output_elements(_lengths(ranges)) * self.problem.sum_bytes
        tile, waits = self.draft.open("accumulator", size)
        self.sums = _Sums(key, tile, ranges, waits)
        if key in self.spilled:
            merge(waits, self.spilled[key].done)
            self._load(tile, waits, f"{self.at.names[2]} (sums)", (self._spill_place(key, size),))
            assert tile.writer is not None
            merge(waits, tile.writer.done)

    def _spill_place(self, key: Key, size_bytes: int) -> Transfer:
        name = "/".join(map(str, key))
        return Transfer(self.image.block(f"{self.block}/sums/{name}", size_bytes), size_bytes)

    def _compute(self, ranges: dict[str, Range]) -> None:
        sums = self.sums
        assert sums is not None
        lengths = _lengths(ranges)
        products = self.problem.kept_of(lengths["C"]) * self.problem.taps
        packed, array = self.at.weight is None, self.array
        draft = self.draft.add(
            "array",
            self.layer,
            ComputeCommand,
            sums.waits,
            dataflow=self.mapping.dataflow,
            job=job_of(self.mapping, self.array, self.problem.taps, lengths, self.problem.places),
            accumulate=ranges["C"][0] > 0,
            macs=prod(n for dim, n in lengths.items() if dim != "C") * products,
            input_tensor=self.at.names[0],
            weight_tensor=self.at.names[1],
            output_tensor=self.at.names[2],
            walk=array_walk(self.problem, ranges, self.input.ranges, self.weight.ranges, sums.ranges),
            places=self.problem.places,
            word_bits=array.word_bits if packed else array.kept * array.weight_format.bits,
            bank_reads=self._bank_reads(ranges),
        )
        for tile in (*self.input.tiles, *self.weight.tiles):
            self.draft.read(tile, draft)
        self.draft.write(sums.tile, draft)
        self.steps_done[sums.key] = self.steps_done.get(sums.key, 0) + 1

    def _finish_sums(self) -> None:
        """Hand the output tile to the vector unit if it is complete, spill it otherwise."""
        sums = self.sums
        if sums is None:
            return
        self.sums = None
        if self.steps_done[sums.key] == self.steps_needed:
            self._vector(sums)
            return
        place = self._spill_place(sums.key, sums.tile.slot.size_bytes)
        spill = self.draft.add(
            "store", self.layer, StoreCommand, {}, tensor=f"{self.at.names[2]} (sums)", transfers=(place,)
        )
        self.draft.read(sums.tile, spill)
        self.draft.close(sums.tile)
        self.spilled[sums.key] = spill

    # --- vector work ------------------------------------------------------------------------------------------------

    def _vector(self, sums: _Sums) -> None:
        problem, lengths = self.problem, _lengths(sums.ranges)
        elements = problem.output_elements(lengths)
        seconds, second_bytes, private = self._residual(sums.ranges, elements)
        pooled = self._pooled(sums.ranges)
        stored_bytes = problem.stored_elements(lengths) * problem.output_bytes
        target, waits, box = self._target(pooled, stored_bytes)
        groups_on_rows = 1 if problem.groups_interleaved else lengths["G"]
        rows = prod(lengths[dim] for dim in ("N", *SPATIAL)) * groups_on_rows
        draft = self.draft.add(
            "vector",
            self.layer,
            VectorCommand,
            waits,
            op="requantise",
            rows=rows,
            row_elements=elements // rows,
            simple_passes=self.group.simple_passes,
            special_passes=self.group.special_passes,
            operations=elements * self.group.lane_operations,
            read_bytes=(elements * problem.sum_bytes, *second_bytes),
            write_bytes=(stored_bytes,),
            tensors_read=(f"{self.at.names[2]} (sums)", *(self.at.names[3] for _ in seconds)),
            tensors_written=(self.at.names[2],),
            walk=vector_walk(problem, self.group, sums.ranges, self.coefficient),
        )
        for tile in (sums.tile, *seconds):
            self.draft.read(tile, draft)
        self.draft.write(target, draft)
        self.draft.close(sums.tile)
        self.draft.close(private)
        if self.at.resident_output is not None:
            self.at.resident_output.add(box, target)
            return
        transfers = self._transfers(self.at.output, pooled)
        store = self.draft.add("store", self.layer, StoreCommand, {}, tensor=self.at.names[2], transfers=transfers)
        self.draft.read(target, store)
        self.draft.close(target)
        self.draft.note_store(self.at.output.view.storage, transfers, store)

    def _residual(self, ranges: dict[str, Range], elements: int) -> tuple[list[Tile], list[int], Tile | None]:
        """Return the slots that hold the second operand, the bytes read of each, and the one to close afterwards."""
        view, resident = self.at.residual, self.at.resident_residual
        if view is None:
            return [], [], None
        size = elements * self.problem.output_bytes
        if resident is not None:
            tiles = resident.touching(self._box(view, ranges))
            shares = [size * (i + 1) // len(tiles) - size * i // len(tiles) for i in range(len(tiles))]
            return tiles, shares, None
        transfers = self._transfers(view, ranges)
        operand, waits = self.draft.open("operand", size)
        merge(waits, self.draft.stored(view.view.storage, transfers))
        self._load(operand, waits, self.at.names[3], transfers)
        return [operand], [size], operand

    def _target(self, pooled: dict[str, Range], size_bytes: int) -> tuple[Tile, Waits, Box]:
        """Return the slot that the vector unit writes, what it waits for, and the box of the output that it holds."""
        box = self._box(self.at.output, pooled)
        if self.at.resident_output is None:
            return (*self.draft.open("output", size_bytes), box)
        half, offset = self.at.resident_output.take(size_bytes)
        return (*self.draft.open_at("input", half, offset, size_bytes), box)

    def _transfers(self, view: LoopView, ranges: dict[str, Range]) -> tuple[Transfer, ...]:
        spatial = [ranges[dim] for dim in SPATIAL]
        transfers = view.transfers(self._address(view), ranges["N"], ranges["G"], ranges["K"], spatial)
        if not transfers:
            raise InternalError(f"lowering of '{self.group.lead.name}': an output tile is empty")
        return transfers

    def _box(self, view: LoopView, ranges: dict[str, Range]) -> Box:
        return view.box(ranges["N"], ranges["G"], ranges["K"], [ranges[dim] for dim in SPATIAL])

    def _pooled(self, ranges: dict[str, Range]) -> dict[str, Range]:
        """Return the box of the group's output that the sums of `ranges` become."""
        if self.problem.whole_plane:
            return ranges | dict.fromkeys(SPATIAL, (0, 1))
        windows = zip(("OY", "OX"), self.problem.pool, strict=True)
        return ranges | {dim: (ranges[dim][0] // size, -(-ranges[dim][1] // size)) for dim, size in windows}


def _lengths(ranges: dict[str, Range]) -> dict[str, int]:
    return {dim: stop - start for dim, (start, stop) in ranges.items()}

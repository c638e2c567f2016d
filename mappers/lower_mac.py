"""Lowering of a MAC group: the walk over its tile loops, tile by tile.

Per step of the nest: weight tile, input tile, (spilled sums), compute; per finished output tile: vector work and store. A tile
is replaced when one of the loops outside its cut that matter to it steps (`Mapping.transfers`), so the commands move
exactly what the mapping says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from hw_models.accelerator import Accelerator
from hw_models.array_timing import timing_of
from hw_models.systolic import FoldJob
from mappers.commands import ComputeCommand, LoadCommand, StoreCommand, Transfer, VectorCommand
from mappers.draft import ProgramDraft, Tile, Waits, merge
from mappers.dram_image import DramImage, ImageView
from mappers.group import Group
from mappers.mapping import RELEVANT, TILED_DIMS, Mapping
from mappers.problem import CHANNEL_TERM_BYTES, TileProblem
from workloads.errors import InternalError

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MacOperands:
    """Where the tensors of one MAC part are.

    Parameters
    ----------
    input, output : ImageView
        In DRAM. `output` is that of the pooled result where a pooling is fused, strided for a phase of a transposed layer.
    weight : ImageView or None
        None for packed constant weights; the second activation of an attention product otherwise, as [matrix][row][column].
    weight_rows : {"K", "C"}
        Which loop the rows of `weight` are.
    residual : ImageView or None
        Second operand of a fused addition, if it is in DRAM.
    input_waits, weight_waits, residual_waits : dict
        When these are complete.
    resident_input, resident_residual : Tile or None
        On chip instead of in DRAM.
    resident_output : Tile or None
        Slot that the whole output is written to.
    output_waits : dict
        When the resident output may be written.
    input_places : tuple of (half, offset)
        For the ping-pong tiles of the input.
    names : tuple of str
        Tensors input, weight, output, residual.
    """

    input: ImageView
    weight: ImageView | None
    weight_rows: str
    output: ImageView
    residual: ImageView | None
    input_waits: Waits
    weight_waits: Waits
    residual_waits: Waits
    resident_input: Tile | None
    resident_residual: Tile | None
    resident_output: Tile | None
    output_waits: Waits
    input_places: tuple[Range, Range]
    names: tuple[str, str, str, str]


@dataclass(slots=True)
class _Held:
    """The tile of one tensor now in its scratchpad."""

    key: tuple[int, ...] | None = None
    tile: Tile | None = None


@dataclass(slots=True)
class _Sums:
    """The output tile under way."""

    key: tuple[int, ...] | None = None
    tile: Tile | None = None
    ranges: dict[str, Range] | None = None


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
        self.draft, self.image, self.accelerator, self.layer = draft, image, accelerator, layer
        self.group, self.problem, self.mapping, self.at = group, problem, mapping, operands
        self.size = problem.size
        self.array = accelerator.core.array
        depth = max(1, problem.sum_slot_bytes // (self.array.cols * problem.sum_bytes))
        self.timing = timing_of(self.array, mapping.dataflow, depth)
        self.block = f"{group.lead.name}/{part}"
        self.input, self.weight, self.sums = _Held(), _Held(), _Sums()
        self.steps_done: dict[tuple[int, ...], int] = {}
        self.spilled: dict[tuple[int, ...], Waits] = {}
        inside = prod(loop.trips for loop in mapping.loops[mapping.cut("O") :])
        outer = prod(loop.trips for loop in mapping.loops[: mapping.cut("O")] if loop.dim == "C")
        self.steps_needed = inside * outer
        self.stored: Waits = {}
        self.sum_waits: Waits = {}

    # --- walk -------------------------------------------------------------------------------------------------------

    def run(self) -> Waits:
        """Emit every command; return when the output is complete."""
        loops = self.mapping.loops
        for steps in product(*(range(loop.trips) for loop in loops)):
            at = dict(zip((loop.dim for loop in loops), steps, strict=True))
            self._step(at)
        self._finish_sums()
        for held in (self.weight, self.input):
            if held.tile is not None and held.tile is not self.at.resident_input:
                self.draft.close(held.tile)
        return self.stored

    def _range(self, dim: str, at: dict[str, int], cut: int) -> Range:
        """Return (start, stop) of `dim` in the tile held at `cut`."""
        for depth, loop in enumerate(self.mapping.loops):
            if loop.dim == dim and depth < cut:
                start = at[dim] * loop.tile
                return start, min(start + loop.tile, loop.extent)
        return 0, self.size[dim]

    def _ranges(self, at: dict[str, int], cut: int) -> dict[str, Range]:
        return {dim: self._range(dim, at, cut) for dim in TILED_DIMS}

    def _key(self, role: str, at: dict[str, int]) -> tuple[int, ...]:
        cut = self.mapping.cut(role)
        return tuple(at[loop.dim] for loop in self.mapping.loops[:cut] if loop.dim in RELEVANT[role])

    def _step(self, at: dict[str, int]) -> None:
        key = self._key("O", at)
        if key != self.sums.key:
            self._finish_sums()
        self._hold_weight(at)
        self._hold_input(at)
        if key != self.sums.key:
            self._open_sums(key, at)
        self._compute(at)

    # --- operands ---------------------------------------------------------------------------------------------------

    def _load(self, tile: Tile, waits: Waits, tensor: str, transfers: tuple[Transfer, ...]) -> None:
        draft = self.draft.add("load", self.layer, LoadCommand, waits, tensor=tensor, transfers=transfers)
        self.draft.write(tile, draft)

    def _hold_weight(self, at: dict[str, int]) -> None:
        key = self._key("W", at)
        if key == self.weight.key:
            return
        self.draft.close(self.weight.tile)
        held = self._ranges(at, self.mapping.cut("W"))
        extent = {dim: stop - start for dim, (start, stop) in held.items()}
        size = self.problem.weight_tile_bytes(extent)
        tile, waits = self.draft.open("weight", size)
        merge(waits, self.at.weight_waits)
        if self.at.weight is None:
            name = "/".join(str(held[dim][0]) for dim in ("G", "K", "C"))
            transfers: tuple[Transfer, ...] = (Transfer(self.image.block(f"{self.block}/w/{name}", size), size),)
        else:
            rows, columns = (held["K"], held["C"]) if self.at.weight_rows == "K" else (held["C"], held["K"])
            transfers = self.at.weight.tile((held["G"], (0, 1), (0, 1), rows, columns))
        self._load(tile, waits, self.at.names[1], transfers)
        self.weight = _Held(key, tile)

    def _hold_input(self, at: dict[str, int]) -> None:
        if self.at.resident_input is not None:
            self.input = _Held((), self.at.resident_input)
            return
        key = self._key("I", at)
        if key == self.input.key:
            return
        self.draft.close(self.input.tile)
        held = self._ranges(at, self.mapping.cut("I"))
        spans = []
        for dim in ("OD", "OY", "OX"):
            start, stop = held[dim]
            spans.append(self.problem.window(dim).span(start, stop - start))
        extent = {dim: stop - start for dim, (start, stop) in held.items()}
        tile, waits = self.draft.open("input", max(1, self.problem.input_tile_bytes(extent)), self.at.input_places)
        merge(waits, self.at.input_waits)
        self._load(tile, waits, self.at.names[0], self._input_transfers(held, spans))
        self.input = _Held(key, tile)

    def _input_transfers(self, held: dict[str, Range], spans: Sequence[Range]) -> tuple[Transfer, ...]:
        view, (c0, c1), (g0, g1) = self.at.input, held["C"], held["G"]
        if not self.problem.groups_interleaved:
            transfers = view.tile((held["G"], *spans, (c0, c1)))
        elif (c0, c1) == (0, self.size["C"]):
            transfers = view.tile((held["N"], *spans, (g0 * c1, g1 * c1)))
        else:
            width = self.size["C"]
            boxes = ((g * width + c0, g * width + c1) for g in range(g0, g1))
            transfers = tuple(t for box in boxes for t in view.tile((held["N"], *spans, box)))
        # a tile that sees only padding still needs its slot: an empty descriptor moves nothing
        return transfers or (Transfer(view.address, 0),)

    # --- sums -------------------------------------------------------------------------------------------------------

    def _open_sums(self, key: tuple[int, ...], at: dict[str, int]) -> None:
        ranges = self._ranges(at, self.mapping.cut("O"))
        extent = {dim: stop - start for dim, (start, stop) in ranges.items()}
        elements = self.problem.output_elements(extent)
        tile, waits = self.draft.open("accumulator", elements * self.problem.sum_bytes)
        self.sums = _Sums(key, tile, ranges)
        self.sum_waits = waits
        if key in self.spilled:
            merge(waits, self.spilled[key])
            size = elements * self.problem.sum_bytes
            transfer = Transfer(self.image.block(f"{self.block}/sums/{key}", size), size)
            self._load(tile, waits, f"{self.at.names[2]} (sums)", (transfer,))

    def _box(self, view: ImageView, ranges: dict[str, Range]) -> tuple[Transfer, ...]:
        """Return the descriptor of an output box in `view`."""
        return tuple(view.tile(box)[0] for box in self._boxes(ranges))

    def _boxes(self, ranges: dict[str, Range]) -> Iterator[tuple[Range, Range, Range, Range, Range]]:
        (k0, k1), (g0, g1) = ranges["K"], ranges["G"]
        spatial = ranges["OD"], ranges["OY"], ranges["OX"]
        width = self.size["K"]
        if not self.problem.groups_interleaved:
            yield (ranges["G"], *spatial, (k0, k1))
        elif (k0, k1) == (0, width):
            yield (ranges["N"], *spatial, (g0 * width, g1 * width))
        else:
            for g in range(g0, g1):
                yield (ranges["N"], *spatial, (g * width + k0, g * width + k1))

    def _compute(self, at: dict[str, int]) -> None:
        ranges = self._ranges(at, len(self.mapping.loops))
        n = {dim: stop - start for dim, (start, stop) in ranges.items()}
        problem, rows, cols = self.problem, self.array.rows, self.array.cols
        m = n["N"] * n["OD"] * n["OY"] * n["OX"]
        columns = n["G"] * -(-n["K"] // cols)
        if self.mapping.dataflow == "os":
            job = FoldJob(n["C"] * problem.taps, -(-m // rows), columns)
        elif self.array.reduction_unroll == "window":
            job = FoldJob(m, -(-n["C"] * problem.taps // rows), columns)
        else:
            job = FoldJob(m, -(-n["C"] // rows) * problem.taps, columns)
        sums, weight, data = self.sums.tile, self.weight.tile, self.input.tile
        assert sums is not None and weight is not None and data is not None
        waits = dict(self.sum_waits)
        draft = self.draft.add(
            "array",
            self.layer,
            ComputeCommand,
            waits,
            dataflow=self.mapping.dataflow,
            job=job,
            accumulate=ranges["C"][0] > 0,
            macs=prod(n[dim] for dim in TILED_DIMS) * problem.taps,
            input_tensor=self.at.names[0],
            weight_tensor=self.at.names[1],
            output_tensor=self.at.names[2],
        )
        self.draft.read(data, draft)
        self.draft.read(weight, draft)
        if sums.writer is not None and sums.writer.engine == "load":
            merge(draft.waits, dict([sums.writer.done]))
        draft.writes.append(sums.slot)
        sums.writer = draft
        assert self.sums.key is not None
        self.steps_done[self.sums.key] = self.steps_done.get(self.sums.key, 0) + 1

    def _finish_sums(self) -> None:
        """Hand the output tile to the vector unit if it is complete, spill it otherwise."""
        sums = self.sums
        if sums.key is None or sums.tile is None or sums.ranges is None:
            return
        n = {dim: stop - start for dim, (start, stop) in sums.ranges.items()}
        elements = self.problem.output_elements(n)
        if self.steps_done[sums.key] < self.steps_needed:
            size = elements * self.problem.sum_bytes
            transfer = Transfer(self.image.block(f"{self.block}/sums/{sums.key}", size), size)
            name = f"{self.at.names[2]} (sums)"
            spill = self.draft.add("store", self.layer, StoreCommand, {}, tensor=name, transfers=(transfer,))
            self.draft.read(sums.tile, spill)
            self.draft.close(sums.tile)
            self.spilled[sums.key] = dict([spill.done])
        else:
            self._vector(sums, n, elements)
        self.sums = _Sums()

    def _vector(self, sums: _Sums, n: dict[str, int], elements: int) -> None:
        assert sums.tile is not None and sums.ranges is not None
        operand: Tile | None = None
        if self.at.residual is not None:
            operand, operand_waits = self.draft.open("operand", elements * self.problem.output_bytes)
            merge(operand_waits, self.at.residual_waits)
            self._load(operand, operand_waits, self.at.names[3], self._box(self.at.residual, sums.ranges))
        stored = self.problem.stored_elements(n) * self.problem.output_bytes
        target, waits = self.at.resident_output, dict(self.at.output_waits)
        if target is None:
            target, waits = self.draft.open("output", stored)
        reads, names = [elements * self.problem.sum_bytes], [f"{self.at.names[2]} (sums)"]
        if operand is not None or self.at.resident_residual is not None:
            reads.append(elements * self.problem.output_bytes)
            names.append(self.at.names[3])
            merge(waits, self.at.residual_waits)
        draft = self.draft.add(
            "vector",
            self.layer,
            VectorCommand,
            waits,
            op="requantise",
            rows=n["N"] * n["OD"] * n["OY"] * n["OX"],
            row_elements=n["G"] * n["K"],
            simple_passes=self.group.simple_passes,
            special_passes=self.group.special_passes,
            operations=elements * (self.group.simple_passes + self.group.special_passes),
            read_bytes=tuple(reads),
            write_bytes=(stored,),
            tensors_read=tuple(names),
            tensors_written=(self.at.names[2],),
        )
        self.draft.read(sums.tile, draft)
        for second in (operand, self.at.resident_residual):
            if second is not None:
                self.draft.read(second, draft)
        self.draft.write(target, draft)
        self.draft.close(sums.tile)
        self.draft.close(operand)
        self.stored = dict([draft.done])
        if self.at.resident_output is None:
            store = self.draft.add(
                "store", self.layer, StoreCommand, {}, tensor=self.at.names[2], transfers=self._stored(sums.ranges)
            )
            self.draft.read(target, store)
            self.draft.close(target)
            self.stored = dict([store.done])

    def _stored(self, ranges: dict[str, Range]) -> tuple[Transfer, ...]:
        """Return the descriptor of the finished tile in the group's output, pooled where a pooling is fused."""
        problem, pooled = self.problem, dict(ranges)
        if problem.whole_plane:
            pooled |= {"OD": (0, 1), "OY": (0, 1), "OX": (0, 1)}
        else:
            for dim, window in (("OY", problem.pool[0]), ("OX", problem.pool[1])):
                pooled[dim] = (ranges[dim][0] // window, -(-ranges[dim][1] // window))
        transfers = self._box(self.at.output, pooled)
        if not transfers:
            raise InternalError(f"lowering of '{self.group.lead.name}': an output tile is empty")
        return transfers

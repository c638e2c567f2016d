"""Lowering of vector and data-movement groups: load a box of each operand, process it, store the result.

A group streams its output in boxes: the axes that an operation needs whole, then as much of the others, innermost in
DRAM first, as one half of the operand buffer and one half of the output buffer hold. Operands that are broadcast stay
in both halves as long as their box does not change.

What does not fit is done piece by piece. An operation that needs a row too long for the buffer sweeps all its data
through the buffer once per pass and stores during the last sweep; a reduction adds up pieces of its data. Running
sums of the rows under way stay in registers of the vector unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod

from hw_models.accelerator import Accelerator
from mappers.commands import LoadCommand, StoreCommand, Transfer, VectorCommand
from mappers.draft import ProgramDraft, Tile, Waits, merge
from mappers.dram_layout import DramImage, Layout
from mappers.group import Group
from mappers.vector_spec import Source, VectorSpec, copy_spec, vector_spec
from mappers.views import Range, View
from workloads.data_layers import Gather
from workloads.errors import Infeasible, InfeasibleError
from workloads.layer import ShapedLayer
from workloads.network import Network
from workloads.vector_layers import Pool, Reduce

Box = tuple[Range, ...]
Load = tuple[str, View, tuple[Transfer, ...]]


class VectorLowering:
    """Lowers one vector or data group into a program draft."""

    def __init__(
        self,
        draft: ProgramDraft,
        image: DramImage,
        accelerator: Accelerator,
        network: Network,
        layout: Layout,
        layer: int,
        group: Group,
    ) -> None:
        self.draft, self.image, self.layer, self.group = draft, image, layer, group
        self.network, self.layout, self.accelerator = network, layout, accelerator
        vector = accelerator.core.vector
        self.operand_room, self.output_room = vector.operand_half_bytes, vector.output_half_bytes
        self.kept: dict[tuple[int, int], tuple[Box, Tile]] = {}

    def run(self) -> None:
        """Emit every command."""
        lead = self.group.lead
        assert isinstance(lead, ShapedLayer)
        if lead.name in self.layout.copies:
            for tensor, target in self.layout.copies[lead.name]:
                self._stream(copy_spec(tensor, self.layout.views[tensor]), target)
        elif isinstance(lead, Gather):
            self._gather(lead)
        else:
            self._stream(vector_spec(self.network, self.layout, lead), self.layout.views[self.group.output])

    # --- boxes ------------------------------------------------------------------------------------------------------

    def _stream(self, spec: VectorSpec, target: View) -> None:
        """Process `spec` box by box into `target`."""
        order = _walk(target)
        held = [index for index, source in enumerate(spec.sources) if index and not source.follows(spec.shape)]
        tile = self._tile(spec, target, order, spec.whole, spec.sources)
        if tile is not None and not (spec.rows == "inner" and self._wastes_lanes(spec, order, tile)):
            simple, special = self.group.simple_passes, self.group.special_passes
            self._sweep(spec, target, order, tile, held, simple, special, store=True)
            return
        if spec.rows == "inner":
            self._pieces(spec, target, order)
            return
        tile = self._tile(spec, target, order, (), spec.sources)
        if tile is None:
            raise self._infeasible(sum(source.bytes([1] * len(spec.shape)) for source in spec.sources))
        passes = [(1, 0)] * self.group.simple_passes + [(0, 1)] * self.group.special_passes
        for number, (simple, special) in enumerate(passes):
            self._sweep(spec, target, order, tile, held, simple, special, store=number == len(passes) - 1)

    def _wastes_lanes(self, spec: VectorSpec, order: Sequence[int], tile: Sequence[int]) -> bool:
        """Tell whether a reduction over the whole plane would be held for fewer channels than there are lanes.

        It then goes piece by piece with all lanes at work: partial results stay in the vector unit.
        """
        lead = self.group.lead
        if not order or not (isinstance(lead, Reduce) or (isinstance(lead, Pool) and lead.is_global)):
            return False
        inner = order[-1]
        return tile[inner] < min(self.accelerator.core.vector.lanes, spec.shape[inner])

    def _infeasible(self, demand: int) -> InfeasibleError:
        subject = f"layer '{self.group.lead.name}' on '{self.accelerator.name}'"
        lever = "raise core.vector.operand_half"
        return InfeasibleError(Infeasible(subject, "capacity[operand]", demand, self.operand_room, "bytes", (lever,)))

    def _tile(
        self, spec: VectorSpec, target: View, order: Sequence[int], whole: Sequence[int], sources: Sequence[Source]
    ) -> list[int] | None:
        """Return the largest tile that fits, grown innermost axis first; None if the smallest does not fit."""
        shape = spec.shape
        tile = [size if axis in whole else min(spec.step(axis), size) for axis, size in enumerate(shape)]

        def fits() -> bool:
            operand = sum(source.bytes(tile) for source in sources)
            return operand <= self.operand_room and prod(tile) * target.element_bytes <= self.output_room

        if not fits():
            return None
        for axis in reversed(order):
            _grow(tile, axis, shape[axis], spec.step(axis), fits)
        return tile

    def _sweep(
        self,
        spec: VectorSpec,
        target: View,
        order: Sequence[int],
        tile: Sequence[int],
        held: Sequence[int],
        simple: int,
        special: int,
        store: bool,
    ) -> None:
        reserved = {index: spec.sources[index].bytes(tile) for index in held}
        for box in _boxes(spec.shape, tile, order):
            sizes = [stop - start for start, stop in box]
            elements = prod(sizes)
            if spec.reduces:
                elements = prod(stop - start for start, stop in spec.sources[0].box(box))
            row = elements
            if spec.rows == "whole":
                row = prod(sizes[axis] for axis in spec.whole) * max(spec.steps, default=1)
            elif spec.rows == "inner":
                row = _inner_length(spec.sources[0], box, elements)
            self._emit(spec, box, target if store else None, reserved, elements, row, simple, special)
        for _, kept in self.kept.values():
            self.draft.close(kept)
        self.kept.clear()

    def _pieces(self, spec: VectorSpec, target: View, order: Sequence[int]) -> None:
        """Process windows or reductions larger than the buffer: pieces of the data, one store per output box."""
        tile = self._tile(spec, target, order, (), ())
        assert tile is not None, "one element fits the output buffer"
        source = spec.sources[0]
        inside = _walk(source.view)
        for box in _boxes(spec.shape, tile, order):
            data = source.box(box)
            limits = [stop - start for start, stop in data]
            part = [1] * len(limits)

            def fits(part: list[int] = part) -> bool:
                return prod(part) * source.view.element_bytes <= self.operand_room

            for axis in reversed(inside):
                _grow(part, axis, limits[axis], 1, fits)
            for piece in _boxes(limits, part, inside):
                last = tuple((start + low, start + high) for (start, _), (low, high) in zip(data, piece, strict=True))
                done = all(high == limit for (_, high), limit in zip(piece, limits, strict=True))
                elements = prod(high - low for low, high in last)
                loads = [(source.tensor, source.view, self._transfers(source.view, last))]
                row = _inner_length(source, box, elements)
                self._command(loads, {}, elements, row, 1, 0, target if done else None, box)

    # --- gather -----------------------------------------------------------------------------------------------------

    def _gather(self, lead: Gather) -> None:
        """Pick rows of a table; which rows is known at run time only, here they are spread evenly over the table."""
        table, indices = (self.layout.views[name] for name in lead.inputs)
        count, row = prod(lead.in_shapes[1]), lead.run_elements
        flat = indices.reshape((count,))
        target = self.layout.views[self.group.output].reshape((count, row))
        assert flat is not None, "blocks have one factor per axis"
        assert target is not None, "blocks have one factor per axis"
        spread = lead.in_shapes[0][0] // count  # none: the same rows again and again
        step = max(1, min(count, self.operand_room // (row * table.element_bytes + flat.element_bytes)))
        width = min(row, (self.operand_room - flat.element_bytes * step) // table.element_bytes)
        width = min(width, self.output_room // target.element_bytes)
        step = max(1, min(step, self.output_room // (width * target.element_bytes)))
        base = self.image.address(table.storage) + table.offset_bytes
        for low in range(0, count, step):
            high = min(count, low + step)
            for left in range(0, row, width):
                right = min(row, left + width)
                pitch = spread * row * table.element_bytes
                first, run = base + low * pitch + left * table.element_bytes, (right - left) * table.element_bytes
                rows = (Transfer(first, run, (high - low,), (pitch,)),)
                loads = [
                    (lead.inputs[1], flat, self._transfers(flat, ((low, high),))),
                    (lead.inputs[0], table, rows),
                ]
                elements = (high - low) * (right - left)
                self._command(loads, {}, elements, elements, 1, 0, target, ((low, high), (left, right)))

    # --- commands ---------------------------------------------------------------------------------------------------

    def _transfers(self, view: View, box: Sequence[Range]) -> tuple[Transfer, ...]:
        return view.transfers(self.image.address(view.storage), box)

    def _emit(
        self,
        spec: VectorSpec,
        box: Box,
        target: View | None,
        reserved: dict[int, int],
        elements: int,
        row: int,
        simple: int,
        special: int,
    ) -> None:
        """Emit one output box; the operands in `reserved` are loaded only where their box changes."""
        loads: list[Load] = []
        kept: dict[int, tuple[Box, Load]] = {}
        seen: set[tuple[str, Box]] = set()  # an operand that stands twice is loaded once
        for index, source in enumerate(spec.sources):
            needed = source.box(box)
            transfers = self._transfers(source.view, needed)
            if not transfers or (source.tensor, needed) in seen:
                continue
            seen.add((source.tensor, needed))
            if index in reserved:
                kept[index] = (needed, (source.tensor, source.view, transfers))
            else:
                loads.append((source.tensor, source.view, transfers))
        places: dict[int, tuple[int, Box, Load]] = {}
        offset = 0
        for index, size in reserved.items():
            if index in kept:
                places[index] = (offset, *kept[index])
            offset += size
        self._command(loads, places, elements, row, simple, special, target, box, offset)

    def _command(
        self,
        loads: Sequence[Load],
        places: dict[int, tuple[int, Box, Load]],
        elements: int,
        row: int,
        simple: int,
        special: int,
        target: View | None,
        box: Box,
        offset: int = 0,
    ) -> None:
        first, before = self.draft.open("operand", _size(loads[0]), self.draft.places("operand", offset))
        half = first.slot.half
        tiles: list[tuple[str, Tile]] = []
        for index, (at, needed, load) in places.items():
            tiles.append((load[0], self._keep(index, half, at, needed, load)))
        fresh: list[Tile] = []
        for number, load in enumerate(loads):
            if number == 0:
                tile, waits = first, before
            else:
                tile, waits = self.draft.open_at("operand", half, offset, _size(load))
            offset += _size(load)
            self._load(tile, waits, load)
            fresh.append(tile)
            tiles.append((load[0], tile))
        out: Tile | None = None
        ready: Waits = {}
        out_bytes = 0
        if target is not None:
            out_bytes = prod(stop - start for start, stop in box) * target.element_bytes
            out, ready = self.draft.open("output", out_bytes)
        vector = self.draft.add(
            "vector",
            self.layer,
            VectorCommand,
            ready,
            op=self.group.lead.op,
            rows=max(1, elements // row),
            row_elements=row,
            simple_passes=simple,
            special_passes=special,
            operations=elements * (simple + special + (len(self.group.fused) if target is not None else 0)),
            read_bytes=tuple(tile.slot.size_bytes for _, tile in tiles),
            write_bytes=(out_bytes,) if out is not None else (),
            tensors_read=tuple(name for name, _ in tiles),
            tensors_written=(self.group.output,) if out is not None else (),
        )
        for _, tile in tiles:
            self.draft.read(tile, vector)
        for tile in fresh:
            self.draft.close(tile)
        if out is None or target is None:
            return
        self.draft.write(out, vector)
        transfers = self._transfers(target, box)
        store = self.draft.add("store", self.layer, StoreCommand, {}, tensor=self.group.output, transfers=transfers)
        self.draft.read(out, store)
        self.draft.close(out)
        self.draft.note_store(target.storage, transfers, store)

    def _keep(self, index: int, half: int, offset: int, needed: Box, load: Load) -> Tile:
        """Return the slot of a broadcast operand in `half`, loading it if it is not there yet."""
        held = self.kept.get((index, half))
        if held is not None and held[0] == needed:
            return held[1]
        if held is not None:
            self.draft.close(held[1])
        tile, waits = self.draft.open_at("operand", half, offset, _size(load))
        self._load(tile, waits, load)
        self.kept[index, half] = (needed, tile)
        return tile

    def _load(self, tile: Tile, waits: Waits, load: Load) -> None:
        name, view, transfers = load
        merge(waits, self.draft.stored(view.storage, transfers))
        self.draft.write(tile, self.draft.add("load", self.layer, LoadCommand, waits, tensor=name, transfers=transfers))


def _size(load: Load) -> int:
    """Return the bytes that a load brings into its slot."""
    return sum(transfer.bytes for transfer in load[2])


def _walk(view: View) -> list[int]:
    """Return the axes of `view`, outermost in DRAM first."""
    return sorted(
        range(len(view.axes)), key=lambda axis: -min((stride for _, stride in view.axes[axis]), default=1 << 62)
    )


def _grow(tile: list[int], axis: int, limit: int, step: int, fits: Callable[[], bool]) -> None:
    """Grow ``tile[axis]`` in multiples of `step` as far as it fits, then balance: as few boxes as that, equal in size.

    A big box followed by a small one would leave the bus waiting for the vector unit and the other way round.
    """
    low, high = -(-tile[axis] // step), -(-limit // step)
    while low < high:
        middle = (low + high + 1) // 2
        tile[axis] = min(limit, middle * step)
        if fits():
            low = middle
        else:
            high = middle - 1
    steps = -(-limit // step)
    boxes = -(-steps // low)
    tile[axis] = min(limit, -(-steps // boxes) * step)


def _boxes(shape: Sequence[int], tile: Sequence[int], order: Sequence[int]) -> Iterator[Box]:
    """Yield the boxes of `shape` in steps of `tile`, the last axis of `order` fastest."""
    starts = [range(0, shape[axis], tile[axis]) for axis in order]
    for at in product(*starts):
        box: list[Range] = [(0, 1)] * len(shape)
        for axis, start in zip(order, at, strict=True):
            box[axis] = (start, min(shape[axis], start + tile[axis]))
        yield tuple(box)


def _inner_length(source: Source, box: Box, elements: int) -> int:
    """Return how many elements of the needed data lie along its innermost axis in DRAM."""
    needed = source.box(box)
    order = [axis for axis in _walk(source.view) if source.view.axes[axis]]
    start, stop = needed[order[-1]] if order else (0, 1)
    return max(1, min(elements, stop - start))

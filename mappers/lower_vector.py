"""Lowering of vector and data-movement groups: load a chunk, process it, store it.

A group streams its output in boxes of rows and channels. The box is the largest (channels first, then columns, then rows) whose
inputs fit one half of the operand buffer and whose output fits one half of the output buffer. Operations that need a whole
row or plane at once (softmax, norms, reductions) hold it when it fits; otherwise they sweep their input through the
operand buffer once per pass, and the traffic of every sweep is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from hw_models.accelerator import Accelerator
from mappers.commands import LoadCommand, StoreCommand, Transfer, VectorCommand
from mappers.draft import ProgramDraft, Tile, Waits, merge
from mappers.dram_image import ImageView
from mappers.group import Group
from workloads.data_layers import DataLayer
from workloads.layer import ShapedLayer
from workloads.vector_layers import Pool

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Operand:
    """One input of a vector group: its view, when it is complete, and its name."""

    view: ImageView
    waits: Waits
    name: str


@dataclass(frozen=True, slots=True)
class _Box:
    """A part of the output and the input boxes it needs."""

    output: tuple[Range, Range, Range, Range, Range]
    inputs: tuple[tuple[Range, Range, Range, Range, Range], ...]


class VectorLowering:
    """Lowers one vector or data group into a program draft."""

    def __init__(
        self,
        draft: ProgramDraft,
        accelerator: Accelerator,
        layer: int,
        group: Group,
        inputs: Sequence[Operand],
        output: ImageView,
    ) -> None:
        self.draft, self.layer, self.group = draft, layer, group
        self.inputs, self.output = tuple(inputs), output
        vector = accelerator.core.vector
        self.operand_room, self.output_room, self.lanes = vector.operand_half_bytes, vector.output_half_bytes, vector.lanes
        self.stored: Waits = {}

    def run(self) -> Waits:
        """Emit every command; return when the output is complete."""
        lead = self.group.lead
        if isinstance(lead, Pool):
            self._pool(lead)
        elif self._is_plain():
            self._plain()
        else:
            self._sweeps()
        return self.stored

    def _is_plain(self) -> bool:
        """Tell whether every output element needs only the input elements at its place (or a broadcast of them)."""
        lead = self.group.lead
        if isinstance(lead, DataLayer) or not isinstance(lead, ShapedLayer):
            return False
        sizes = self.output.sizes
        return lead.passes == 1 and all(
            all(a in (b, 1) for a, b in zip(operand.view.sizes, sizes, strict=True)) for operand in self.inputs
        )

    # --- shapes of work ---------------------------------------------------------------------------------------------

    def _plain(self) -> None:
        """Process boxes of the output with the same boxes of the inputs; broadcast axes stay at their one element."""
        per_element = sum(o.view.element_bytes for o in self.inputs)
        for output in self._boxes(per_element):
            boxes = []
            for operand in self.inputs:
                sizes = operand.view.sizes
                box = tuple((0, 1) if sizes[i] == 1 else output[i] for i in range(5))
                boxes.append((box[0], box[1], box[2], box[3], box[4]))
            self._process(_Box(output, tuple(boxes)), self.group.simple_passes, self.group.special_passes)

    def _boxes(self, input_bytes_per_element: int) -> list[tuple[Range, Range, Range, Range, Range]]:
        """Return boxes that cover the output: channels whole if they fit, then columns, then rows."""
        n, d, y, x, c = self.output.sizes
        room = min(self.operand_room // max(1, input_bytes_per_element), self.output_room // self.output.element_bytes)
        room = max(1, room)
        c_tile = c if c <= room else max(1, room // self.lanes * self.lanes) or room
        x_tile = max(1, min(x, room // c_tile))
        y_tile = max(1, min(y, room // (c_tile * x_tile))) if x_tile == x else 1
        boxes = []
        for i in range(n):
            for j in range(d):
                for y0 in range(0, y, y_tile):
                    for x0 in range(0, x, x_tile):
                        for c0 in range(0, c, c_tile):
                            last = (c0, min(c, c0 + c_tile))
                            boxes.append(
                                ((i, i + 1), (j, j + 1), (y0, min(y, y0 + y_tile)), (x0, min(x, x0 + x_tile)), last)
                            )
        return boxes

    def _pool(self, lead: Pool) -> None:
        """Process boxes of pooled rows with the input rows of their windows, halo included, padding not fetched."""
        windows = lead.windows
        pads = 3 - len(windows)
        n, d, y, x, c = self.output.sizes
        view = self.inputs[0].view
        taps = prod(w.taps for w in windows)

        def span(axis: int, start: int, stop: int) -> Range:
            if axis < pads:
                return start, stop
            return windows[axis - pads].span(start, stop - start)

        def widest(axis: int, tile: int) -> int:
            if axis < pads:
                return tile
            window = windows[axis - pads]
            return min(window.extent(tile), window.size_in)

        depth = widest(0, 1)
        c_tile = c
        while c_tile > self.lanes and depth * widest(1, 1) * widest(2, 1) * c_tile * view.element_bytes > self.operand_room:
            c_tile = -(-c_tile // 2)
        x_tile = x
        while x_tile > 1 and depth * widest(1, 1) * widest(2, x_tile) * c_tile * view.element_bytes > self.operand_room:
            x_tile = -(-x_tile // 2)
        if depth * widest(1, 1) * widest(2, x_tile) * c_tile * view.element_bytes > self.operand_room:
            self._sweeps()  # a window larger than the buffer: reduced piece by piece
            return
        y_tile = 1
        if x_tile == x:
            while y_tile < y and self._pool_fits(depth * widest(1, y_tile + 1) * widest(2, x) * c_tile, (y_tile + 1) * x * c_tile):
                y_tile += 1
        for i in range(n):
            for j in range(d):
                for y0 in range(0, y, y_tile):
                    for x0 in range(0, x, x_tile):
                        for c0 in range(0, c, c_tile):
                            y1, x1 = min(y, y0 + y_tile), min(x, x0 + x_tile)
                            last = (c0, min(c, c0 + c_tile))
                            source = ((i, i + 1), span(0, j, j + 1), span(1, y0, y1), span(2, x0, x1), last)
                            target = ((i, i + 1), (j, j + 1), (y0, y1), (x0, x1), last)
                            self._process(_Box(target, (source,)), taps * self.group.simple_passes, 0)

    def _pool_fits(self, source: int, target: int) -> bool:
        view = self.inputs[0].view
        return (
            source * view.element_bytes <= self.operand_room and target * self.output.element_bytes <= self.output_room
        )

    def _sweeps(self) -> None:
        """Stream all inputs linearly, once if what the operation needs at once fits the buffer, else once per pass.

        The output is written in as many pieces during the last sweep. Data movement pays the runs that source and
        destination share.
        """
        lead = self.group.lead
        passes = self.group.simple_passes + self.group.special_passes
        sweeps = 1 if self._set_bytes() <= self.operand_room else passes
        run = lead.run_elements if isinstance(lead, DataLayer) else None
        total_in = sum(prod(o.view.sizes) for o in self.inputs)
        total_out = prod(self.output.sizes)
        element = max((o.view.element_bytes for o in self.inputs), default=self.output.element_bytes)
        pieces = max(1, -(-total_in * element // self.operand_room), -(-total_out * self.output.element_bytes // self.output_room))
        for sweep in range(sweeps):
            final = sweep == sweeps - 1
            simple = self.group.simple_passes if sweeps == 1 else int(sweep < self.group.simple_passes)
            special = self.group.special_passes if sweeps == 1 else int(sweep >= self.group.simple_passes)
            for piece in range(pieces):
                self._linear(piece, pieces, run, simple, special, final)

    def _set_bytes(self) -> int:
        """Return the bytes that the operation needs at once: a row, a channel plane, or nothing beyond the element."""
        lead = self.group.lead
        if not isinstance(lead, ShapedLayer) or isinstance(lead, DataLayer) or lead.passes == 1:
            return 0
        sizes = self.inputs[0].view.sizes
        element = self.inputs[0].view.element_bytes
        if lead.op in ("group_norm", "instance_norm"):
            return prod(sizes[1:]) * element
        shape = lead.in_shapes[0]
        axis = getattr(lead, "axis", len(shape) - 1)
        if lead.op in ("layer_norm", "rms_norm"):
            return prod(shape[axis:]) * element
        return shape[axis] * element if axis == len(shape) - 1 else prod(shape[axis:]) * element

    # --- commands ---------------------------------------------------------------------------------------------------

    def _linear(self, piece: int, pieces: int, run: int | None, simple: int, special: int, final: bool) -> None:
        """Emit one piece of a linear sweep over all inputs, and of the output in the last sweep."""
        loads: list[tuple[Operand, tuple[Transfer, ...], int]] = []
        elements = 0
        for operand in self.inputs:
            count = prod(operand.view.sizes)
            low, high = piece * count // pieces, (piece + 1) * count // pieces
            if high > low:
                loads.append((operand, _runs(operand.view, low, high, run), (high - low) * operand.view.element_bytes))
                elements += high - low
        total = prod(self.output.sizes)
        low, high = (piece * total // pieces, (piece + 1) * total // pieces) if final else (0, 0)
        store = _runs(self.output, low, high, run) if high > low else ()
        self._emit(loads, max(elements, high - low), simple, special, store, (high - low) * self.output.element_bytes)

    def _process(self, box: _Box, simple: int, special: int) -> None:
        """Emit one box."""
        loads = []
        for operand, source in zip(self.inputs, box.inputs, strict=True):
            transfers = operand.view.tile(source)
            size = prod(stop - start for start, stop in source) * operand.view.element_bytes
            if transfers:
                loads.append((operand, transfers, size))
        elements = prod(stop - start for start, stop in box.output)
        self._emit(
            loads, elements, simple, special, self.output.tile(box.output), elements * self.output.element_bytes
        )

    def _emit(
        self,
        loads: Sequence[tuple[Operand, tuple[Transfer, ...], int]],
        elements: int,
        simple: int,
        special: int,
        store: tuple[Transfer, ...],
        store_bytes: int,
    ) -> None:
        source, waits = self.draft.open("operand", max(1, sum(size for _, _, size in loads)))
        for operand, transfers, _ in loads:
            merged = dict(waits)
            merge(merged, operand.waits)
            load = self.draft.add("load", self.layer, LoadCommand, merged, tensor=operand.name, transfers=transfers)
            self.draft.write(source, load)
        target: Tile | None = None
        vector_waits: Waits = {}
        if store:
            target, vector_waits = self.draft.open("output", store_bytes)
        name = self.group.output
        vector = self.draft.add(
            "vector",
            self.layer,
            VectorCommand,
            vector_waits,
            op=self.group.lead.op,
            rows=1,
            row_elements=elements,
            simple_passes=simple,
            special_passes=special,
            operations=elements * (simple + special),
            read_bytes=(sum(size for _, _, size in loads),) if loads else (),
            write_bytes=(store_bytes,) if store else (),
            tensors_read=(loads[0][0].name,) if loads else (),
            tensors_written=(name,) if store else (),
        )
        if loads:
            self.draft.read(source, vector)
            self.draft.close(source)
        if target is not None:
            self.draft.write(target, vector)
            command = self.draft.add("store", self.layer, StoreCommand, {}, tensor=name, transfers=store)
            self.draft.read(target, command)
            self.draft.close(target)
            self.stored = dict([command.done])


def _runs(view: ImageView, low: int, high: int, run_elements: int | None) -> tuple[Transfer, ...]:
    """Return descriptors of elements `low` to `high` of `view` in its own order.

    With `run_elements` the piece is cut into runs of that many elements, each of which starts on an element boundary of its
    own: the descriptor pays the beats of every run.
    """
    element, channels = view.element_bytes, view.sizes[4]
    dense = view.pitches_bytes[3] == channels * element
    if run_elements is not None and run_elements < high - low:
        run = run_elements * element
        count, rest = divmod(high - low, run_elements)
        parts = [Transfer(view.address + low * element, run, (count,), (run,))]
        if rest:
            parts.append(Transfer(view.address + (high - rest) * element, rest * element))
        return tuple(parts)
    if dense:
        return (Transfer(view.address + low * element, (high - low) * element),)
    first, last = low // channels, -(-high // channels)
    pitch = view.pitches_bytes[3]
    return (Transfer(view.address + first * pitch, -(-(high - low) * element // (last - first)), (last - first,), (pitch,)),)

"""What each pass reads of its tiles, for machines whose scratchpads have banks, and the choice of layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

from hw_models.accelerator import Core, Dataflow
from hw_models.banking.banks import INPUT_LAYOUTS, WEIGHT_LAYOUTS, Banks, Layout
from hw_models.banking.passes import PassClock, PassReads
from hw_models.banking.reads import InputRead, WeightRead, input_bytes, row_padding
from mappers.commands import ComputeCommand, Program
from mappers.problem import CHANNEL_TERM_BYTES, TileProblem
from mappers.views import Range
from workloads.errors import Infeasible, InfeasibleError

SPATIAL = ("OD", "OY", "OX")
Ranges = Mapping[str, Range]
Layouts = tuple[Layout, Layout]


@dataclass(frozen=True, slots=True)
class BankReads:
    """Builds the reads of the passes of one layer part.

    Parameters
    ----------
    pixels_in_row : int
        Outputs along x of a pass that is not ragged.
    resident : bool
        The input lies in the scratchpad whole, without padding: who wrote it did not know its reader.
    """

    core: Core
    problem: TileProblem
    dataflow: Dataflow
    pixels_in_row: int
    resident: bool

    def input_tile(self, held: Ranges, layout: Layout) -> InputRead:
        """Return the read of the whole tile that covers `held`, from its first pixel on."""
        spans = {dim: self.problem.window(dim).span(held[dim][0], _length(held[dim])) for dim in SPATIAL}
        windows = self.problem.windows
        z, y, x = (_length(spans[dim]) for dim in SPATIAL)
        read = InputRead(
            tile=(_length(held["N"]), _length(held["G"]), z, y, x, _length(held["C"])),
            first=(
                0,
                0,
                *(held[d][0] * w.stride - w.pad_before - spans[d][0] for d, w in zip(SPATIAL, windows, strict=True)),
                0,
            ),  # type: ignore[arg-type]
            groups=_length(held["G"]),
            channels=_length(held["C"]),
            pixels=(_length(held["N"]), *(_length(held[dim]) for dim in SPATIAL)),  # type: ignore[arg-type]
            taps=tuple(w.taps for w in windows),  # type: ignore[arg-type]
            stride=tuple(w.stride for w in windows),  # type: ignore[arg-type]
            dilation=tuple(w.dilation for w in windows),  # type: ignore[arg-type]
            element_bytes=self.problem.input_bytes,
        )
        banks = self.core.input.banks
        if banks is None:
            return read
        return replace(read, padding_bytes=row_padding(read, layout, banks, self.pixels_in_row))

    def input_tile_bytes(self, held: Ranges, layout: Layout) -> int:
        """Return the bytes of the tile that covers `held`, padding included."""
        return input_bytes(self.input_tile(held, layout), layout)

    def reads(
        self, step: Ranges, held_input: Ranges, held_weight: Ranges, layouts: Layouts, starts: tuple[int, int] = (0, 0)
    ) -> PassReads:
        """Return the reads of the pass over `step` of tiles that lie at `starts` of their buffers."""
        problem = self.problem
        tile = self.input_tile(held_input, layouts[0])
        moved = tuple(
            tile.first[2 + axis] + (step[dim][0] - held_input[dim][0]) * problem.windows[axis].stride
            for axis, dim in enumerate(SPATIAL)
        )
        n, g, c = (step[dim][0] - held_input[dim][0] for dim in ("N", "G", "C"))
        data = replace(
            tile,
            first=(n, g, *moved, c),  # type: ignore[arg-type]
            groups=_length(step["G"]),
            channels=_length(step["C"]),
            pixels=(_length(step["N"]), *(_length(step[dim]) for dim in SPATIAL)),  # type: ignore[arg-type]
            start_bytes=starts[0],
        )
        terms = _length(held_weight["G"]) * _length(held_weight["K"]) * CHANNEL_TERM_BYTES
        weight = WeightRead(
            tile=(_length(held_weight["G"]), problem.taps, _length(held_weight["C"]), _length(held_weight["K"])),
            first=tuple(step[dim][0] - held_weight[dim][0] for dim in ("G", "C", "K")),  # type: ignore[arg-type]
            groups=_length(step["G"]),
            channels=_length(step["C"]),
            outputs=_length(step["K"]),
            element_bytes=problem.weight_bytes,
            start_bytes=starts[1] + terms * problem.channel_terms,
            places=problem.places,
            word_bits=problem.stored_bits if problem.stored_places > 1 else 0,
        )
        return PassReads(data, weight, *layouts)

    def candidates(self) -> list[Layouts]:
        """Return the layouts that the description leaves open, in a fixed order."""
        data = _open(self.core.input.banks, INPUT_LAYOUTS)
        if self.resident:
            data = tuple(dict.fromkeys(_unpadded(layout) for layout in data))
        packed = self.problem.stored_places > 1  # words of N:M weights have one order
        return list(product(data, _open(self.core.weight.banks, WEIGHT_LAYOUTS[:1] if packed else WEIGHT_LAYOUTS)))

    def choose(self, steps: Iterable[tuple[Ranges, Ranges, Ranges]], clock: PassClock) -> Layouts:
        """Return the layouts with the shortest passes; the first of equals.

        Parameters
        ----------
        steps : iterable of (step, held input, held weights)
            Every pass of the part.

        Raises
        ------
        InfeasibleError
            If the only layout that the description allows needs more room than a buffer has.
        """
        options = self.candidates()
        passes = Counter(tuple(tuple(sorted(ranges.items())) for ranges in step) for step in steps)
        tiles = dict.fromkeys(step[1] for step in passes)
        room = self.problem.input_slot_bytes
        needs = {
            layout: 0 if self.resident else max(self.input_tile_bytes(dict(held), layout) for held in tiles)
            for layout in dict.fromkeys(option[0] for option in options)
        }
        fitting = [option for option in options if needs[option[0]] <= room]
        if not fitting:
            raise InfeasibleError(
                Infeasible(
                    f"input tile in layout {options[0][0]} on core '{self.core.name}'",
                    "capacity[input]",
                    needs[options[0][0]],
                    room,
                    "bytes",
                    ("use input.banks.layout auto or one without padding", "raise core.input.half"),
                )
            )
        if len(fitting) == 1:
            return fitting[0]

        def cycles(layouts: Layouts) -> int:
            total = 0
            for (step, data, weight), times in passes.items():
                found = clock.times(self.dataflow, self.reads(dict(step), dict(data), dict(weight), layouts))
                total += times * (found.first_load_cycles + found.span_cycles)
            return total

        return min(fitting, key=cycles)


def bank_layouts(program: Program) -> dict[int, dict[str, list[str]]]:
    """Return, per layer whose passes read from banks, the layouts of its input and weight tiles."""
    found: dict[int, dict[str, list[str]]] = {}
    for command in program.commands:
        if isinstance(command, ComputeCommand) and command.bank_reads is not None:
            of_layer = found.setdefault(command.layer, {"input": [], "weight": []})
            reads = command.bank_reads
            for memory, layout in (("input", reads.input_layout), ("weight", reads.weight_layout)):
                if layout not in of_layer[memory]:
                    of_layer[memory].append(layout)
    return found


def _open(banks: Banks | None, layouts: tuple[Layout, ...]) -> tuple[Layout, ...]:
    if banks is None:
        return layouts[:1]
    return layouts if banks.layout == "auto" else (banks.layout,)


def _unpadded(layout: Layout) -> Layout:
    return "planar" if layout.startswith("planar") else "channel_last"


def _length(limits: Range) -> int:
    return limits[1] - limits[0]

"""Words of the layer engine's command memory: one list of 32-bit words per command, of each engine in order.

The layout of the words is the one that the headers of ``rtl/engine/engine_*.sv`` state. A command that the engine
cannot run is refused by name, so a list that encodes runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from hw_models.layer_engine import EngineParams, LayerConstants
from hw_models.systolic import FoldJob
from mappers.commands import (
    ENGINES,
    AnyCommand,
    ComputeCommand,
    Engine,
    LoadCommand,
    Program,
    Slot,
    StoreCommand,
    Transfer,
    VectorCommand,
)
from mappers.walk import ArrayWalk
from rtl.engine_words_is import StationaryPlaces, array_words, pair, turn_words, word
from workloads.errors import InputError

Words = dict[Engine, list[list[int]]]

_WAIT_ORDER: tuple[Engine, ...] = ("load", "array", "vector", "store")
_MEMORY_CODE = {"input": 0, "weight": 1, "operand": 2}
_MAXIMUM = {"max_pool"}
_MEAN = {"avg_pool"}
_NOTHING = {"quantize", "batch_norm", "identity"}


@dataclass(frozen=True, slots=True)
class VectorFunctions:
    """What a fused chain asks of the vector unit."""

    relu: bool = False
    second: bool = False
    maximum: bool = False
    mean: bool = False


def vector_functions(functions: Sequence[str], subject: str) -> VectorFunctions:
    """Return what the chain `functions` needs: an addition, then ReLU, then a pooling, each at most once.

    Raises
    ------
    InputError
        If the vector unit of the engine has not one of them, or not in this order.
    """
    relu = second = False
    pooled = ""
    for op in functions:
        if op in _NOTHING and not pooled:
            continue
        if op == "add" and not (second or relu or pooled):
            second = True
        elif op == "relu" and not (relu or pooled):
            relu = True
        elif op in _MAXIMUM | _MEAN and not pooled:
            pooled = op
        else:
            raise InputError(
                f"{subject}: '{op}' in the chain {list(functions)}, the layer engine has an addition, then ReLU, then "
                f"a pooling; run it on the event model alone"
            )
    return VectorFunctions(relu, second, pooled in _MAXIMUM, pooled in _MEAN)


def encode(program: Program, params: EngineParams, constants: Mapping[str, LayerConstants]) -> Words:
    """Return the words of every command of `program`.

    Parameters
    ----------
    constants : mapping
        Integers of each layer by the name of its leading layer, for the multipliers that stand in commands.

    Raises
    ------
    InputError
        If the engine is not built for some command, or has no room for it.
    """
    return _Encoder(program, params, constants).run()


class _Encoder:
    def __init__(self, program: Program, params: EngineParams, constants: Mapping[str, LayerConstants]) -> None:
        self.program, self.params, self.constants = program, params, constants

    def run(self) -> Words:
        words: Words = {engine: [] for engine in ENGINES}
        for index, command in enumerate(self.program.commands):
            self.subject = f"program '{self.program.workload}': command {index} ({command.engine})"
            made = [*self._waits(command), *self._body(command)]
            for place, value in enumerate(made):
                if not 0 <= value < 1 << 32:
                    raise self._refuse(f"word {place}", value, f"0..{(1 << 32) - 1}, 32 bits", "lower it again")
            words[command.engine].append(made)
        for engine, listed in words.items():
            if len(listed) > self.params.commands:
                raise InputError(
                    f"program '{self.program.workload}': {len(listed)} {engine} commands, the layer engine holds "
                    f"{self.params.commands}; run fewer layers at once"
                )
        return words

    def _refuse(self, what: str, value: object, bound: object, remedy: str = "choose another mapping") -> InputError:
        return InputError(f"{self.subject}: {what} is {value}, the layer engine takes {bound}; {remedy}")

    def _waits(self, command: AnyCommand) -> tuple[int, int]:
        counts = dict(command.waits)
        load, array, vector, store = (counts.get(engine, 0) for engine in _WAIT_ORDER)
        return (pair(array, load), pair(store, vector))

    def _body(self, command: AnyCommand) -> list[int]:
        if isinstance(command, LoadCommand):
            return self._load(command)
        if isinstance(command, StoreCommand):
            slot = self._one(command.reads, "output")
            return [*self._descriptor(command.transfers, slot), self._byte(slot)]
        if isinstance(command, ComputeCommand):
            return self._array(command)
        return self._vector(command)

    # --- transfers --------------------------------------------------------------------------------------------------

    def _descriptor(self, transfers: Sequence[Transfer], slot: Slot) -> list[int]:
        moved = sum(transfer.bytes for transfer in transfers)
        if moved != slot.size_bytes:
            raise self._refuse("the transfer", f"{moved} bytes", f"the {slot.size_bytes} of its tile", "lower it again")
        if len(transfers) != 1 or len(transfers[0].counts) > 3:
            raise self._refuse("the transfer", f"{len(transfers)} descriptors", "one of at most three loops")
        (transfer,) = transfers
        loops = list(zip(reversed(transfer.counts), reversed(transfer.pitches_bytes), strict=True))
        loops += [(1, 0)] * (3 - len(loops))
        return [transfer.address, transfer.run_bytes, *(word(value) for loop in loops for value in loop)]

    def _one(self, slots: Sequence[Slot], memory: str) -> Slot:
        found = [slot for slot in slots if slot.memory == memory]
        if len(found) != 1:
            others = sorted({slot.memory for slot in slots})
            raise self._refuse("the tile", f"in {others}", f"one in '{memory}'", "partial sums must stay on chip")
        return found[0]

    def _byte(self, slot: Slot) -> int:
        """Return the byte address of `slot` in its memory."""
        sizes = {
            "input": self.params.input_bytes,
            "weight": self.params.weight_bytes,
            "operand": self.params.operand_bytes,
            "output": self.params.output_bytes,
        }
        return slot.half * (sizes[slot.memory] // 2) + slot.offset_bytes

    def _load(self, command: LoadCommand) -> list[int]:
        slot = command.writes[0]
        if slot.memory not in _MEMORY_CODE:
            raise self._refuse("the target", f"'{slot.memory}'", "input, weight or operand", "keep sums on chip")
        target = _MEMORY_CODE[slot.memory] << 28 | self._byte(slot)
        terms = coefficient = 0
        if slot.memory == "weight":
            part = command.part
            if part is None:
                raise self._refuse("the weight tile", "made at run time", "packed weights", "use constant weights")
            if part.groups[1] - part.groups[0] != 1:
                raise self._refuse("channel groups of a tile", part.groups[1] - part.groups[0], 1,
                                   "walk loop G by 1, outside of all tiles")  # fmt: skip
            outputs = part.outputs[1] - part.outputs[0]
            if part.coefficient + outputs > self.params.coefficient_channels:
                raise self._refuse(
                    "channel terms",
                    part.coefficient + outputs,
                    f"{self.params.coefficient_channels} per command list",
                    "run fewer layers at once",
                )
            terms, coefficient = outputs * self.params.TERM_BYTES, part.coefficient * self.params.TERM_BYTES
        return [*self._descriptor(command.transfers, slot), target, terms, coefficient]

    # --- array ------------------------------------------------------------------------------------------------------

    def _array(self, command: ComputeCommand) -> list[int]:
        walk, p = command.walk, self.params
        if walk is None or walk.depth != 1:
            raise self._refuse("the nest", "three-dimensional", "one plane", "use the model")
        self._check_walk(command, walk)
        inputs = [slot for slot in command.reads if slot.memory == "input"]
        if len(inputs) > 1:
            raise self._refuse("input tiles", len(inputs), 1)
        base = self._byte(inputs[0]) if inputs else 0
        y, x, channels = walk.tile[1:]
        if not inputs:
            y = x = 0  # the tile sees only padding
        first_n, first_y, first_x, first_c = walk.first
        base += ((first_n * y + first_y) * x + first_x) * channels + first_c
        held_c, held_k = walk.weight_tile
        row_bits = -(-held_k * p.word_bits // 8) * 8
        weight = 8 * self._byte(self._one(command.reads, "weight"))
        weight += walk.weight_first[0] // p.places * row_bits + walk.weight_first[1] * p.word_bits
        held = walk.sums_tile
        pixels = held[0] * held[1] * held[2]
        self._check_depth(pixels, held[3])
        at = self._vectors(self._one(command.writes, "accumulator")) + walk.sums_first[3] // p.cols * pixels
        at += (walk.sums_first[0] * held[1] + walk.sums_first[1]) * held[2] + walk.sums_first[2]
        to_pixel, to_line, to_image = walk.stride[1] * channels, walk.stride[0] * x * channels, y * x * channels
        line, plane, images = held[2], held[1] * held[2], pair(0, walk.pixels[0])
        if command.dataflow == "is":
            tile_byte = self._byte(self._one(command.reads, "weight"))
            return array_words(command, walk, (y, x), StationaryPlaces(base, at, tile_byte), p.cols)
        if command.dataflow == "os":  # from the last pixel of a line, and of an image, to the next
            last_x, last_y = walk.pixels[2] - 1, walk.pixels[1] - 1
            to_image -= last_y * to_line + last_x * to_pixel
            to_line -= last_x * to_pixel
            plane -= last_y * line + last_x
            line, images = line - last_x, prod(walk.pixels)
        return [
            command.job.stream,
            command.job.row_folds,
            command.job.col_folds,
            at,
            pixels,
            word(line),
            word(plane),
            weight,
            row_bits,
            -(-held_c // p.places) * row_bits,
            walk.outputs,
            walk.channels,
            word(base),
            pair(walk.pixels[1], walk.pixels[2]),
            images,
            to_pixel,
            word(to_line),
            word(to_image),
            command.accumulate | (command.dataflow == "os") << 1,
            pair(*walk.taps),
            walk.dilation[1] * channels,
            walk.dilation[0] * x * channels,
            pair(y, x),
            pair(first_y, first_x),
            pair(*walk.stride),
            pair(*walk.dilation),
            *[0] * (2 * ("is" in p.dataflows)),
        ]

    def _check_walk(self, command: ComputeCommand, walk: ArrayWalk) -> None:
        """Refuse a walk that leaves its tiles, and a fold job that is not that of its walk."""
        p = self.params
        self._check_groups(command, walk)
        if command.places != p.places or walk.weight_first[0] % p.places:
            raise self._refuse("a group of input channels", f"{command.places} from {walk.weight_first[0]}",
                               f"{p.places} from a multiple of it")  # fmt: skip
        held_c, held_k = walk.weight_tile
        ends = ((walk.first[3] + walk.channels, walk.tile[3]), (walk.weight_first[0] + walk.channels, held_c),
                (walk.weight_first[1] + walk.outputs, held_k))  # fmt: skip
        for end, bound in ends:
            if end > bound:
                raise self._refuse("the walk", f"up to channel {end}", f"the {bound} of its tile", "lower it again")
        read_bits = p.weight_format.bits if p.sparsity is None else p.word_bits
        if command.word_bits != read_bits:
            raise self._refuse("the weight word", f"{command.word_bits} bits", f"{read_bits}")
        if walk.sums_first[3] % p.cols:
            raise self._refuse("the first output channel within the held sums", walk.sums_first[3],
                               f"a multiple of {p.cols}")  # fmt: skip
        words, pixels, columns = -(-walk.channels // p.places), prod(walk.pixels), -(-walk.outputs // p.cols)
        expected = FoldJob(pixels, prod(walk.taps) * -(-words // p.rows), columns)
        if command.dataflow == "os":
            expected = FoldJob(prod(walk.taps) * words, -(-pixels // p.rows), columns)
        elif command.dataflow == "is":
            expected = FoldJob(walk.outputs, expected.row_folds, -(-pixels // p.cols))
        if command.job != expected or command.dataflow not in p.dataflows:
            raise self._refuse("the fold job", f"{command.dataflow} {command.job}", f"{expected} of its walk")

    def _check_groups(self, command: ComputeCommand, walk: ArrayWalk) -> None:
        """Refuse a command of several channel groups, or tiles that hold several."""
        if min(*walk.tile, *walk.sums_tile) < 1:
            raise self._refuse("a side of a tile", min(*walk.tile, *walk.sums_tile), "1 or more", "lower it again")
        sums = prod(walk.sums_tile) * -(-self.params.accumulator_bits // 8)
        held = [slot.size_bytes // prod(walk.tile) for slot in command.reads if slot.memory == "input"]
        held += [slot.size_bytes // sums for slot in command.writes if slot.memory == "accumulator"]
        groups = walk.groups if walk.groups != 1 else max(1, *held)
        if groups != 1:
            raise self._refuse(
                "channel groups of a command or a tile", groups, 1, "walk loop G by 1, outside of all tiles"
            )

    def _vectors(self, slot: Slot) -> int:
        """Return the vector address of a slot of the accumulator, {half, vector}."""
        size = self.params.cols * -(-self.params.accumulator_bits // 8)
        return (slot.half << (self.params.accumulator_depth - 1).bit_length()) + slot.offset_bytes // size

    def _check_depth(self, pixels: int, outputs: int) -> None:
        vectors = pixels * -(-outputs // self.params.cols)
        if vectors > self.params.accumulator_depth:
            raise self._refuse(
                "the tile of sums",
                f"{vectors} vectors ({pixels} pixels x {outputs} channels)",
                f"{self.params.accumulator_depth} vectors of {self.params.cols}",
            )

    # --- vector -----------------------------------------------------------------------------------------------------

    def _vector(self, command: VectorCommand) -> list[int]:
        walk, p = command.walk, self.params
        if walk is None:
            raise self._refuse("operation", f"'{command.op}' without the array", "work behind the array", "fuse it")
        if walk.groups != 1 or walk.depth != 1 or (command.simple_passes, command.special_passes) != (1, 0):
            raise self._refuse(
                "the work", "grouped, three-dimensional or of several passes", "one pass", "use the model"
            )
        functions = vector_functions(walk.functions, self.subject)
        n, y, x = walk.pixels
        if command.rows != n * y * x or command.row_elements != walk.outputs:
            raise self._refuse("the work", f"{command.rows} x {command.row_elements}", "that of its walk")
        sums = self._one(command.reads, "accumulator")
        seconds = [slot for slot in command.reads if slot.memory != "accumulator"]
        if len(seconds) != int(functions.second) or any(slot.memory != "operand" for slot in seconds):
            raise self._refuse("second operands", len(seconds), "one in the operand memory, of an addition")
        out = self._one(command.writes, "output")
        self._check_depth(n * y * x, walk.outputs)
        pool_y, pool_x = walk.pool
        pools = functions.maximum or functions.mean
        if not pools and walk.pool != (1, 1):
            raise self._refuse("the window", f"{walk.pool} without a pooling", "(1, 1)", "lower it again")
        windows = x // pool_x * -(-walk.outputs // p.cols)
        if pools and windows > p.pool_depth:
            raise self._refuse("a row of pooling windows", f"{windows} vectors", f"{p.pool_depth}")
        name = self.program.layers[command.layer].name
        if name not in self.constants:
            raise InputError(f"{self.subject}: layer '{name}' has no constants; give its weights and scales")
        constants = self.constants[name]
        last_boxes, lines, images, turned = turn_words(self.program, sums.tag, p.cols, self.subject)
        flags = functions.relu | functions.mean << 1 | functions.second << 2 | turned
        return [
            pair(y, x),
            n,
            walk.outputs,
            self._vectors(sums),
            n * y * x,
            last_boxes,
            lines,
            images,
            walk.coefficient * p.TERM_BYTES,
            self._byte(seconds[0]) if seconds else 0,
            self._byte(out),
            pair(pool_y, pool_x),
            constants.mean_multiplier,
            constants.mean_shift,
            flags,
            walk.outputs,
            constants.second_multiplier if functions.second else 0,
            x // pool_x * walk.outputs,
        ]

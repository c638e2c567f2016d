"""The YAML tree of an accelerator as strict pydantic models (contract §6); imported only when a description is read.

The models check types, units and names; `hw_models.description_build` turns them into the frozen objects of
`hw_models.accelerator`, which check the machine itself.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from hw_models.accelerator import AccumulatorLayout, Arbitration, ArrayKind, Dataflow, ReductionUnroll
from hw_models.banking.banks import Layout, Spread
from hw_models.dma import LoadedMemory
from hw_models.dram.channel import Page
from hw_models.units import (
    BANDWIDTH,
    BYTES,
    BYTES_PER_CYCLE,
    ENERGY_PJ,
    FREQUENCY_MHZ,
    LATENCY,
    NODE_NM,
    Bandwidth,
    Latency,
    Unit,
    parse_bandwidth,
    parse_bytes,
    parse_energy_pj,
    parse_frequency_mhz,
    parse_latency,
    parse_node_nm,
    parse_port_bytes_per_cycle,
)
from workloads.errors import InputError
from workloads.formats import Int, parse_format


def _reader(parse: Callable[[Any], Any]) -> BeforeValidator:
    """Return a validator whose message is that of our own error."""

    def read(value: Any) -> Any:
        try:
            return parse(value)
        except InputError as error:
            raise PydanticCustomError("quantity", "{message}", {"message": str(error)}) from error

    return BeforeValidator(read)


def _text(unit: Unit) -> WithJsonSchema:
    suffixes = "|".join(unit.scales)
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\s*({suffixes})$",
            "examples": [unit.example],
        }
    )


def _integer_format(value: object) -> Int:
    if not isinstance(value, str):
        raise InputError(f"value is {value!r}, a number format is needed; write one like int8")
    form = parse_format(value)
    if not isinstance(form, Int):
        raise InputError(f"format '{value}' is not an integer format, arrays compute with intN or uintN; choose one")
    return form


Bytes = Annotated[int, _reader(parse_bytes), _text(BYTES)]
PortWidth = Annotated[int, _reader(parse_port_bytes_per_cycle), _text(BYTES_PER_CYCLE)]
Mhz = Annotated[Fraction, _reader(parse_frequency_mhz), _text(FREQUENCY_MHZ)]
Picojoules = Annotated[Fraction, _reader(parse_energy_pj), _text(ENERGY_PJ)]
Nanometres = Annotated[int, _reader(parse_node_nm), _text(NODE_NM)]
Rate = Annotated[Bandwidth, _reader(parse_bandwidth), _text(BANDWIDTH)]
Delay = Annotated[Latency, _reader(parse_latency), _text(LATENCY)]
IntegerFormat = Annotated[
    Int,
    _reader(_integer_format),
    WithJsonSchema({"type": "string", "pattern": "^u?int[1-9][0-9]?$", "examples": ["int8"]}),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Count = Annotated[int, Field(ge=1, le=1 << 24)]


class _Node(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _key(text: str, **more: Any) -> Any:
    """Return a field whose description goes to the JSON Schema and to docs/accelerators.md."""
    return Field(description=text, **more)


class ClockNode(_Node):
    """A clock domain. The first one is the reference of every cycle count; parts name another one with `clock`."""

    name: Name = _key("name of the domain")
    frequency: Mhz = _key("clock frequency; cycles and bytes per second are converted with it, exactly")


class DramEnergyNode(_Node):
    """Energy of a byte on the channel: a `standard` of the energy table, or `per_byte` with its `source`."""

    standard: Text | None = _key("DRAM standard of the energy table, such as LPDDR4", default=None)
    per_byte: Picojoules | None = _key("energy of one byte moved, in place of `standard`", default=None)
    source: Text | None = _key("where `per_byte` comes from", default=None)


class DramNode(_Node):
    """Off-chip memory: a channel of fixed latency and bandwidth, or a `standard` with the timing of its commands."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["standard"]}, {"required": ["bandwidth", "latency", "beat", "burst", "energy"]}]
        }
    )

    name: Name = _key("name of the channel")
    bandwidth: Rate | None = _key("fixed channel: data-bus bandwidth, read and write together", default=None)
    latency: Delay | None = _key(
        "fixed channel: from a read request to its first beat, and from the last written beat to the response; with a "
        "`standard`: the way to and from its controller, 0 if left out",
        default=None,
    )
    beat: Bytes | None = _key(
        "fixed channel: bytes of one beat; a run that starts or ends inside a beat pays the whole beat", default=None
    )
    burst: Bytes | None = _key(
        "fixed channel: bytes that one stream moves before the other gets the bus; a multiple of `beat`", default=None
    )
    arbitration: Arbitration | None = _key(
        "fixed channel: who has the bus next, of several streams; left out: round_robin", default=None
    )
    standard: Text | None = _key(
        "speed bin of docs/dram.md, such as DDR4-2400, in place of the fixed keys", default=None
    )
    channels: Count | None = _key(
        "standard: channels with a controller each; left out: those of a module", default=None
    )
    ranks: Count | None = _key("standard: ranks of a channel; left out: 1", default=None)
    map: Text | None = _key(
        "standard: address map, most significant field first; left out: ro-ra-ba-co-ch-bg", default=None
    )
    hashed: bool | None = _key("standard: XOR the bank with low bits of the row; left out: false", default=None)
    page: Page | None = _key("standard: whether a row stays open without a queued hit; left out: open", default=None)
    queue: Count | None = _key(
        "standard: bursts per direction among which a controller reorders; left out: 32", default=None
    )
    batch: Count | None = _key(
        "standard: column commands of one direction before the other's turn; left out: 32", default=None
    )
    bypass_limit: Count | None = _key("standard: bursts that may pass the oldest one; left out: 64", default=None)
    refresh: bool | None = _key("standard: whether ranks are refreshed; left out: true", default=None)
    clock: Name | None = _key(
        "fixed channel: clock of its cycles, at whose edges data begins to move; left out: the first", default=None
    )
    energy: DramEnergyNode | None = _key("left out with a `standard`: from its currents", default=None)


class MacEnergyNode(_Node):
    """Energy of one MAC with its source, in place of the table's figure."""

    mac: Picojoules = _key("energy of one MAC")
    source: Text = _key("where it comes from")


class SparsityNode(_Node):
    """Pattern of the constant weights, compressed to values and indices."""

    n: Count = _key("weights of a group that are kept, and multipliers of a PE")
    m: Count = _key("input channels of a group, at most 16")


class PEMemoriesNode(_Node):
    """Memories inside a row-stationary PE and its buses, in words of the array's format."""

    filter_words: Count = _key("filter memory of a PE")
    ifmap_words: Count = _key("image memory of a PE")
    psum_words: Count = _key("partial-sum memory of a PE")
    filter_bus: Count = _key("filter words per cycle into the array")
    ifmap_bus: Count = _key("image words per cycle into the array")
    psum_in_bus: Count = _key("partial sums per cycle into the array")
    psum_out_bus: Count = _key("partial sums per cycle out of the array")
    bank: Bytes = _key("bank of the global buffer (input and accumulator scratchpads together)")


class ArrayNode(_Node):
    """A MAC array."""

    kind: ArrayKind = _key("how operands move: PE to PE, a column reduced in one tree, or rows kept in the PEs")
    rows: Count = _key("ws, is: reduction; os: output pixels")
    cols: Count = _key("ws, os: output channels; is: output pixels")
    dataflows: Annotated[list[Dataflow], Field(min_length=1)] = _key("what the array can run; the mapper chooses")
    input_format: IntegerFormat = _key("activations")
    weight_format: IntegerFormat = _key("weights")
    accumulator_format: IntegerFormat = _key("partial sums")
    accumulator_layout: AccumulatorLayout | None = _key(
        "rows of `cols` channels of one pixel, filled or not, that no DMA reaches; left out: dense, sums may spill",
        default=None,
    )
    reduction_unroll: ReductionUnroll = _key("rows take the flattened window (FY, FX, C), or channels only")
    tree_latency: Delay | None = _key("adder_tree only: pipeline of a column's tree", default=None)
    sparsity: SparsityNode | None = None
    pe_memories: PEMemoriesNode | None = _key("row_stationary only", default=None)
    energy: MacEnergyNode | None = None


class MemoryEnergyNode(_Node):
    """Energy per byte read and written with its source, in place of the table's figures."""

    read_per_byte: Picojoules = _key("energy of one byte read")
    write_per_byte: Picojoules = _key("energy of one byte written")
    source: Text = _key("where both come from")


class BanksNode(_Node):
    """Banks of one buffer; left out: no access ever waits for a bank."""

    count: Count = _key("banks of a buffer")
    word: Bytes = _key("bytes that a bank gives at once; a multiple of the element")
    ports: Count = _key("words that a bank gives per cycle; as many are written beside them", default=1)
    spread: Spread = _key("which bank a word lies in (docs/scratchpads.md)", default="interleaved")
    layout: Layout | None = _key(
        "order of a tile's elements (docs/scratchpads.md); left out: channel_last, output_last, vectors", default=None
    )


class ScratchpadNode(_Node):
    """A memory of some buffers; a port width left out is what the array, the vector unit and the channel need."""

    half: Bytes = _key("capacity of one buffer, the room of a tile")
    buffers: Count = _key("single, double or triple buffering: 1, 2 or 3", default=2)
    read_width: PortWidth | None = _key(
        "read port of one buffer; left out: what its readers take per cycle", default=None
    )
    write_width: PortWidth | None = _key(
        "write port of one buffer; left out: its writers' need or a beat", default=None
    )
    banks: BanksNode | None = None
    energy: MemoryEnergyNode | None = None


class ScratchpadsNode(_Node):
    """The three scratchpads of a core."""

    input: ScratchpadNode
    weight: ScratchpadNode
    accumulator: ScratchpadNode


class VectorEnergyNode(_Node):
    """Energy of a lane operation and of a staged byte with their source, in place of the table's figures."""

    operation: Picojoules = _key("energy of one lane operation")
    buffer_per_byte: Picojoules = _key("energy of one byte read from or written to a staging buffer")
    source: Text = _key("where both come from")


class VectorNode(_Node):
    """The vector unit; `simple` and `special` are the time of one step of a pass."""

    lanes: Count = _key("elements of one step")
    latency: Delay = _key("pipeline depth, first element in to first element out")
    simple: Delay = _key("time of a step of add, multiply, compare, shift")
    special: Delay = _key("time of a step of exp, divide, square root, tanh")
    operand_half: Bytes = _key("capacity of one buffer of the operand staging memory")
    output_half: Bytes = _key("capacity of one buffer of the output staging memory")
    operand_buffers: Count = _key("buffers of the operand staging memory: 1, 2 or 3", default=2)
    output_buffers: Count = _key("buffers of the output staging memory: 1, 2 or 3", default=2)
    clock: Name | None = _key("clock of its cycles; left out: the first", default=None)
    writes_input: bool = _key("results can go to the input scratchpad: activations may stay on chip", default=True)
    energy: VectorEnergyNode | None = None


class LoadEngineNode(_Node):
    """One of several load engines."""

    engine: Name = _key("name of the engine")
    serves: Annotated[list[LoadedMemory], Field(min_length=1)] = _key("memories that it fills; each has one engine")
    in_flight: Count = _key("its load commands with requests in flight")


class HostNode(_Node):
    """A host that hands the commands to the engines in program order; left out: they have them from the start."""

    interval: Delay = _key("from one command to the next")
    depth: Count = _key("commands that an engine takes in before it has issued them")


class DmaNode(_Node):
    """The load and the store engines (docs/scratchpads.md)."""

    outstanding: Count = _key("load commands with requests in flight, and store commands")
    issue: Delay = _key("time to issue one command on any engine")
    engines: list[LoadEngineNode] = _key("load engines side by side; left out: one", default_factory=list)
    max_burst: Bytes | None = _key("greatest request; left out: a contiguous run is one", default=None)
    requests: Count | None = _key("requests of an engine in flight; left out: no limit", default=None)
    descriptor_dimensions: Count | None = _key(
        "nested counts of one descriptor, the run included; left out: any transfer is one", default=None
    )
    descriptor: Delay | None = _key("time to set up a descriptor; left out: none", default=None)
    host: HostNode | None = None
    store_engines: Count = _key("store engines side by side; the stores of a program take turns", default=1)


class LinkNode(_Node):
    """What all data between core and memory passes, one way apart from the other; left out: nothing in between."""

    width: PortWidth = _key("bytes per cycle of each direction")
    delay: Delay = _key("from the last byte in to the last byte out")
    clock: Name | None = _key("clock of its cycles; left out: the first", default=None)


class CoreNode(_Node):
    """One array with its memories and engines."""

    name: Name = _key("name of the core")
    array: ArrayNode
    scratchpads: ScratchpadsNode
    vector: VectorNode
    dma: DmaNode
    link: LinkNode | None = None


class EnergyNode(_Node):
    """Where figures without one of their own come from, and the node they are for."""

    node: Nanometres = _key("technology node of every figure taken from the table")
    table: Text | None = _key("energy table for parts without `energy` of their own", default=None)
    allow_default: bool = _key("let the nearest row stand for a missing one; the source then says so", default=False)


class AcceleratorNode(_Node):
    """A description file."""

    name: Name = _key("name in results")
    summary: Text = _key("one line for the catalogue")
    source: Text = _key("where the figures come from that `sources` does not name")
    sources: dict[str, Text] = _key("path of a figure or a part: its source", default_factory=dict)
    clocks: Annotated[list[ClockNode], Field(min_length=1)]
    dram: Annotated[list[DramNode], Field(min_length=1)]
    cores: Annotated[list[CoreNode], Field(min_length=1)]
    energy: EnergyNode


#: Keys that a later version will read, and what lacks until then.
NOT_YET = {
    "memories": "shared memories",
    "links": "links between cores",
    "noc": "a network on chip",
    "host": "a host processor of its own (dma.host of a core hands out commands)",
}

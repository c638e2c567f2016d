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

from hw_models.accelerator import ArrayKind, Dataflow, ReductionUnroll
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


def _text(unit: Unit, what: str) -> WithJsonSchema:
    suffixes = "|".join(unit.scales)
    return WithJsonSchema(
        {
            "type": "string",
            "description": f"{what}; units: {', '.join(unit.scales)}",
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


Bytes = Annotated[int, _reader(parse_bytes), _text(BYTES, "size")]
PortWidth = Annotated[int, _reader(parse_port_bytes_per_cycle), _text(BYTES_PER_CYCLE, "port width")]
Mhz = Annotated[Fraction, _reader(parse_frequency_mhz), _text(FREQUENCY_MHZ, "frequency")]
Picojoules = Annotated[Fraction, _reader(parse_energy_pj), _text(ENERGY_PJ, "energy")]
Nanometres = Annotated[int, _reader(parse_node_nm), _text(NODE_NM, "technology node")]
Rate = Annotated[Bandwidth, _reader(parse_bandwidth), _text(BANDWIDTH, "bandwidth")]
Delay = Annotated[Latency, _reader(parse_latency), _text(LATENCY, "latency")]
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


class ClockNode(_Node):
    """A clock domain. The first (and today only) one is the reference of every cycle count."""

    name: Name
    frequency: Mhz


class DramEnergyNode(_Node):
    """Energy of a byte on the channel: a `standard` of the energy table, or `per_byte` with its `source`."""

    standard: Text | None = None
    per_byte: Picojoules | None = None
    source: Text | None = None


class DramNode(_Node):
    """An off-chip channel of fixed latency and bandwidth."""

    name: Name
    bandwidth: Rate
    latency: Delay
    beat: Bytes
    burst: Bytes
    energy: DramEnergyNode


class MacEnergyNode(_Node):
    """Energy of one MAC with its source, in place of the table's figure."""

    mac: Picojoules
    source: Text


class ArrayNode(_Node):
    """A MAC array."""

    kind: ArrayKind
    rows: Count
    cols: Count
    dataflows: Annotated[list[Dataflow], Field(min_length=1)]
    input_format: IntegerFormat
    weight_format: IntegerFormat
    accumulator_format: IntegerFormat
    reduction_unroll: ReductionUnroll
    tree_latency: Delay | None = Field(default=None, description="adder_tree only: pipeline of a column's tree")
    energy: MacEnergyNode | None = None


class MemoryEnergyNode(_Node):
    """Energy per byte read and written with its source, in place of the table's figures."""

    read_per_byte: Picojoules
    write_per_byte: Picojoules
    source: Text


class ScratchpadNode(_Node):
    """A memory of two halves; a port width left out is what the array, the vector unit and the channel need."""

    half: Bytes
    halves: Count = 2
    read_width: PortWidth | None = None
    write_width: PortWidth | None = None
    energy: MemoryEnergyNode | None = None


class ScratchpadsNode(_Node):
    """The three scratchpads of a core."""

    input: ScratchpadNode
    weight: ScratchpadNode
    accumulator: ScratchpadNode


class VectorEnergyNode(_Node):
    """Energy of a lane operation and of a staged byte with their source, in place of the table's figures."""

    operation: Picojoules
    buffer_per_byte: Picojoules
    source: Text


class VectorNode(_Node):
    """The vector unit; `simple` and `special` are the time of one step of a pass."""

    lanes: Count
    latency: Delay
    simple: Delay
    special: Delay
    operand_half: Bytes
    output_half: Bytes
    energy: VectorEnergyNode | None = None


class DmaNode(_Node):
    """The load and the store engine."""

    outstanding: Count
    issue: Delay


class CoreNode(_Node):
    """One array with its memories and engines."""

    name: Name
    array: ArrayNode
    scratchpads: ScratchpadsNode
    vector: VectorNode
    dma: DmaNode


class EnergyNode(_Node):
    """Where figures without one of their own come from, and the node they are for."""

    node: Nanometres
    table: Text | None = None
    allow_default: bool = False


class AcceleratorNode(_Node):
    """A description file."""

    name: Name
    summary: Text
    source: Text = Field(description="where the figures come from that `sources` does not name")
    sources: dict[str, Text] = Field(default_factory=dict, description="path of a figure or a part -> its source")
    clocks: Annotated[list[ClockNode], Field(min_length=1)]
    dram: Annotated[list[DramNode], Field(min_length=1)]
    cores: Annotated[list[CoreNode], Field(min_length=1)]
    energy: EnergyNode


#: Keys that a later version will read, and what lacks until then.
NOT_YET = {
    "memories": "shared memories",
    "links": "links between cores",
    "noc": "a network on chip",
    "host": "a host processor",
    "banks": "banks of a scratchpad half",
    "ports": "extra ports of a scratchpad half",
    "standard_bin": "DRAM timing of a speed bin",
}

"""ZigZag's hardware files (``memories``, ``operational_array``), read strictly.

Names and units are ZigZag's: sizes in bits, bandwidths in bits per cycle, costs in pJ per full-width access. Its
counting rules are in `docs/importers.md`. Refused by name: in-memory computing, costs that ZigZag would fetch from
CACTI, ports that do not carry what an operand needs, an outermost memory of which there would be several.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, cast

from workloads.errors import InputError
from workloads.importers.cursor import Cursor

Direction = Literal["fh", "tl", "fl", "th"]
Kind = Literal["read", "write", "read_write"]
DIRECTIONS: tuple[Direction, ...] = ("fh", "tl", "fl", "th")
OPERANDS = ("I1", "I2", "O")
MAX_BITS = 1 << 60
MAX_SIDE = 1 << 20
_IN_MEMORY = ("is_imc", "imc_type", "adc_resolution", "bit_serial_precision")
_OPERAND_PATTERN, _AXIS_PATTERN = r"I1|I2|O", r"D[0-9]+"


@dataclass(frozen=True, slots=True)
class ZigZagPort:
    """A physical port and the transfers (operand, direction) that share it.

    Parameters
    ----------
    min_bits_per_cycle, max_bits_per_cycle : int
        Least quantum and full width of an access.
    allocation : tuple of (operand, direction)
        ``fh``, ``fl``: written from the level above, below; ``th``, ``tl``: read towards it.
    """

    name: str
    kind: Kind
    min_bits_per_cycle: int
    max_bits_per_cycle: int
    allocation: tuple[tuple[str, Direction], ...]


@dataclass(frozen=True, slots=True)
class ZigZagMemory:
    """One memory; `served_axes` are the array dimensions that share an instance."""

    name: str
    size_bits: int
    read_energy_pj: float
    write_energy_pj: float
    area: float
    operands: tuple[str, ...]
    ports: tuple[ZigZagPort, ...]
    served_axes: tuple[str, ...]
    double_buffered: bool

    def port_of(self, operand: str, direction: Direction) -> ZigZagPort | None:
        """Return the port that carries `operand` in `direction`, if any."""
        found = None
        for port in self.ports:
            if (operand, direction) in port.allocation:
                found = port  # of two the last counts, as in ZigZag
        return found


@dataclass(frozen=True, slots=True)
class ZigZagHardware:
    """A ZigZag accelerator: memories innermost first, axes of the array with their sizes."""

    name: str
    memories: tuple[ZigZagMemory, ...]
    axes: tuple[tuple[str, int], ...]
    mac_energy_pj: float
    mac_area: float
    systolic_axes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for operand in OPERANDS:
            levels = self.levels(operand)
            if not levels:
                raise InputError(f"machine '{self.name}': no memory holds operand {operand}; list it in 'operands'")
            missing = [axis for axis, _ in self.axes if axis not in self.joined(operand, levels[-1])]
            if missing:
                raise InputError(
                    f"machine '{self.name}': no memory of {operand} up to '{levels[-1].name}' serves "
                    f"{', '.join(missing)}; one instance of the outermost memory must hold the whole tensor"
                )

    def levels(self, operand: str) -> tuple[ZigZagMemory, ...]:
        """Return the memories that hold `operand`, innermost first."""
        return tuple(memory for memory in self.memories if operand in memory.operands)

    def joined(self, operand: str, memory: ZigZagMemory) -> tuple[str, ...]:
        """Return the axes over which one instance of `memory` serves `operand`: its own and those joined below it."""
        below = self.levels(operand)
        inner = below[: below.index(memory) + 1]
        return tuple(axis for axis, _ in self.axes if any(axis in level.served_axes for level in inner))

    def instances(self, memory: ZigZagMemory) -> int:
        """Return how many copies of `memory` the array has."""
        joined = {axis for operand in memory.operands for axis in self.joined(operand, memory)}
        return prod(size for axis, size in self.axes if axis not in joined)


def read_hardware(top: Cursor) -> ZigZagHardware:
    """Return the accelerator that the file under `top` describes.

    Raises
    ------
    InputError
        With every mistake of the file: unknown keys, wrong units, impossible fan-outs, ports that do not fit.
    """
    fields = top.fields(("name", "memories", "operational_array"), ())
    top.finish()
    array = fields["operational_array"].fields(
        ("dimensions", "sizes", "unit_energy"),
        ("unit_area", "systolic_dimensions", "input_precision", *_IN_MEMORY),
    )
    if "input_precision" in array:  # of a digital multiplier ZigZag reads it and uses it nowhere
        for item in array["input_precision"].items():
            item.integer(1, 64, "bits")
    for key in _IN_MEMORY:
        if key in array and array[key].value not in (False, None, 0):
            array[key].fail("describes in-memory computing", "supported: arrays of digital multipliers")
    top.finish()
    axes = _axes(array)
    names = [axis for axis, _ in axes]
    systolic = _names(array["systolic_dimensions"], names) if "systolic_dimensions" in array else ()
    memories = tuple(_memory(name, entry, names) for name, entry in fields["memories"].entries().items())
    if not memories:
        fields["memories"].fail("is empty", "at least one memory for each of I1, I2 and O is needed")
    if not top.mistakes:
        _check_ports(fields["memories"].entries(), memories)
    name = fields["name"].text()
    mac_energy = array["unit_energy"].number(0.0, "pJ per MAC")
    mac_area = array["unit_area"].number(0.0, "area per MAC") if "unit_area" in array else 0.0
    top.finish()
    notes = tuple(getattr(top.document, "notes", ()))
    return ZigZagHardware(name, memories, axes, mac_energy, mac_area, systolic, notes)


def _axes(array: dict[str, Cursor]) -> tuple[tuple[str, int], ...]:
    dims = [item.text(_AXIS_PATTERN, "an array dimension D1, D2, ...") for item in array["dimensions"].items()]
    sizes = [item.integer(1, MAX_SIDE, "units along the dimension") for item in array["sizes"].items()]
    if len(dims) != len(sizes):
        array["sizes"].fail(f"has {len(sizes)} entries for {len(dims)} dimensions", "give one size per dimension")
    if len(set(dims)) != len(dims):
        array["dimensions"].fail("names a dimension twice", "use each once")
    array["sizes"].finish()
    return tuple(zip(dims, sizes, strict=True))


def _names(cursor: Cursor, known: list[str]) -> tuple[str, ...]:
    found = tuple(item.choice(known) for item in cursor.items())
    if len(set(found)) != len(found):
        cursor.fail("names a dimension twice", "use each once")
    return tuple(axis for axis in known if axis in found)


def _memory(name: str, cursor: Cursor, axes: list[str]) -> ZigZagMemory:
    fields = cursor.fields(
        ("size", "r_cost", "w_cost", "operands", "ports", "served_dimensions"),
        ("area", "latency", "mem_type", "auto_cost_extraction", "force_double_buffering"),
    )
    if "auto_cost_extraction" in fields and fields["auto_cost_extraction"].boolean():
        fields["auto_cost_extraction"].fail("asks for costs out of CACTI", "give r_cost and w_cost in pJ per access")
    if "latency" in fields:
        fields["latency"].integer(0, MAX_SIDE, "cycles; ZigZag's counting does not use it")
    if "mem_type" in fields:
        fields["mem_type"].choice(("sram", "dram", "rf"))
    if any(key not in fields for key in ("size", "r_cost", "w_cost", "operands", "ports", "served_dimensions")):
        cursor.finish()
    return ZigZagMemory(
        name,
        fields["size"].integer(1, MAX_BITS, "bits"),
        fields["r_cost"].number(0.0, "pJ per access"),
        fields["w_cost"].number(0.0, "pJ per access"),
        fields["area"].number(0.0, "area") if "area" in fields else 0.0,
        tuple(item.text(_OPERAND_PATTERN, "an operand I1, I2 or O") for item in fields["operands"].items()),
        tuple(_port(item) for item in fields["ports"].items()),
        _names(fields["served_dimensions"], axes),
        "force_double_buffering" in fields and fields["force_double_buffering"].boolean(),
    )


def _port(cursor: Cursor) -> ZigZagPort:
    fields = cursor.fields(("name", "type", "bandwidth_min", "bandwidth_max", "allocation"))
    if len(fields) < 5:
        cursor.finish()
    kind = cast("Kind", fields["type"].choice(("read", "write", "read_write")))
    low = fields["bandwidth_min"].integer(1, MAX_BITS, "bits per cycle")
    high = fields["bandwidth_max"].integer(1, MAX_BITS, "bits per cycle")
    if low > high:
        fields["bandwidth_min"].fail(f"is {low}", f"bound is bandwidth_max, {high}")
    links: list[tuple[str, Direction]] = []
    for item in fields["allocation"].items():
        text = item.text(r"(I1|I2|O), *(fh|tl|fl|th)", "'OPERAND, DIRECTION' such as 'I1, tl'")
        operand, _, way = text.partition(",")
        for direction in DIRECTIONS:
            if way.strip() == direction:
                links.append((operand, direction))
                if (kind == "read" and direction in ("fh", "fl")) or (kind == "write" and direction in ("tl", "th")):
                    item.fail(f"writes through a {kind} port" if kind == "read" else f"reads through a {kind} port",
                              "move it to a port of the other kind")  # fmt: skip
    name = fields["name"].text(r"r?w?_port_[0-9]+", "a name such as r_port_1")
    return ZigZagPort(name, kind, low, high, tuple(links))


def _check_ports(entries: dict[str, Cursor], memories: tuple[ZigZagMemory, ...]) -> None:
    """Report operands whose transfers have no port."""
    for memory in memories:
        for operand in memory.operands:
            top = not any(operand in other.operands for other in memories[memories.index(memory) + 1 :])
            needed: tuple[Direction, ...] = ("fl", "tl") if operand == "O" else ("tl",)
            if not top:
                needed += ("th", "fh") if operand == "O" else ("fh",)
            for direction in needed:
                if memory.port_of(operand, direction) is None:
                    entries[memory.name].at("ports", None).fail(
                        f"carries no '{operand}, {direction}'", f"add it to the allocation of a port of '{memory.name}'"
                    )

"""A ZigZag accelerator as a memory hierarchy of the general layer mapper.

Memory operands become the roles that a mapping file links them to (``I1`` -> ``I``, ``I2`` -> ``W``, ``O`` -> ``O``);
the axes keep their names, and their unrolling is the mapping file's, or free.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from hw_models.hierarchy.tree import DIRECTIONS, ArrayAxis, Direction, Level, MemoryTree, Multiplier, Port
from hw_models.importers.zigzag_hardware import ZigZagHardware, ZigZagMemory
from workloads.errors import InputError

DEFAULT_LINKS = {"I": "I1", "W": "I2", "O": "O"}
Unrolling = Mapping[str, tuple[tuple[str, int], ...]]


def zigzag_tree(
    hardware: ZigZagHardware, links: Mapping[str, str] | None = None, unrolling: Unrolling | None = None
) -> MemoryTree:
    """Return `hardware` as a hierarchy.

    Parameters
    ----------
    links : mapping of role to memory operand
        ``memory_operand_links`` of a mapping file; I to I1, W to I2, O to O if left out.
    unrolling : mapping of axis to (dimension, factor) pairs, optional
        ``spatial_mapping`` of a mapping file; an axis that it names is forced, one that it leaves out stays idle. None
        leaves every axis free.

    Raises
    ------
    InputError
        If the outermost memory does not hold everything, a memory's ports differ in width (the energy of an access
        would have no single width), or the unrolling does not fit the axes.
    """
    roles = {operand: role for role, operand in (links or DEFAULT_LINKS).items()}
    if set(roles) != {"I1", "I2", "O"}:
        raise InputError(f"machine '{hardware.name}': memory_operand_links are {links}; link I, W and O, each once")
    top = hardware.memories[-1]
    if len(top.operands) < 3:
        raise InputError(
            f"machine '{hardware.name}': outermost memory '{top.name}' holds {list(top.operands)}; supported: one "
            "outermost memory that holds I1, I2 and O"
        )
    _check_unrolling(hardware, unrolling)
    return MemoryTree(
        hardware.name,
        tuple(_axis(hardware, name, size, unrolling) for name, size in hardware.axes),
        tuple(_level(hardware, memory, roles) for memory in reversed(hardware.memories)),
        Multiplier(Fraction(str(hardware.mac_energy_pj))),
        source=f"ZigZag hardware file '{hardware.name}'",
    )


def _check_unrolling(hardware: ZigZagHardware, unrolling: Unrolling | None) -> None:
    known = dict(hardware.axes)
    for axis, pairs in (unrolling or {}).items():
        if axis not in known:
            raise InputError(f"spatial_mapping: axis {axis} is not one of {', '.join(known)} of '{hardware.name}'")
        used = 1
        for _, factor in pairs:
            used *= factor
        if used > known[axis]:
            text = " x ".join(f"{dim} {factor}" for dim, factor in pairs)
            raise InputError(
                f"spatial_mapping: {axis} unrolls {text} = {used}, bound is {known[axis]} positions; lower a factor"
            )


def _axis(hardware: ZigZagHardware, name: str, size: int, unrolling: Unrolling | None) -> ArrayAxis:
    systolic = name in hardware.systolic_axes
    if unrolling is None:
        return ArrayAxis(name, size, systolic=systolic)
    pairs = tuple((dim, factor) for dim, factor in unrolling.get(name, ()) if factor > 1)
    return ArrayAxis(name, size, tuple(dim for dim, _ in pairs), pairs, systolic=systolic)


def _level(hardware: ZigZagHardware, memory: ZigZagMemory, roles: Mapping[str, str]) -> Level:
    joined = {hardware.joined(operand, memory) for operand in memory.operands}
    if len(joined) > 1:
        raise InputError(
            f"memory '{memory.name}': one instance serves {' or '.join(str(list(axes)) for axes in sorted(joined))}, "
            "depending on the operand; supported: the same dimensions for all operands of a memory"
        )
    widths = sorted({port.max_bits_per_cycle for port in memory.ports})
    if len(widths) > 1:
        raise InputError(
            f"memory '{memory.name}': ports are {' and '.join(map(str, widths))} bits wide (bandwidth_max); supported: "
            "one width per memory, as its energy per access has one"
        )
    carried: dict[str, list[tuple[str, Direction]]] = {port.name: [] for port in memory.ports}
    for operand in memory.operands:
        for direction in DIRECTIONS:
            port = memory.port_of(operand, direction)
            if port is not None:
                carried[port.name].append((roles[operand], direction))
    ports = tuple(
        Port(port.name, Fraction(port.max_bits_per_cycle), tuple(carried[port.name]), Fraction(port.min_bits_per_cycle))
        for port in memory.ports
        if carried[port.name]
    )
    return Level(
        name=memory.name,
        serves=joined.pop(),
        keep=tuple(roles[operand] for operand in memory.operands),
        capacity_bits=memory.size_bits,
        ports=ports,
        read_pj=Fraction(str(memory.read_energy_pj)),
        write_pj=Fraction(str(memory.write_energy_pj)),
        access_bits=widths[0],
        rounded_access=True,
        buffers=2 if memory.double_buffered else 1,
    )

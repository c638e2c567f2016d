"""A Timeloop architecture as a memory hierarchy of the general layer mapper, and its energy reference table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from hw_models.hierarchy.tree import ArrayAxis, Level, MemoryTree, Multiplier, Port
from hw_models.importers.timeloop_arch import TimeloopArch, TimeloopNode
from workloads.errors import InputError
from workloads.importers.cursor import Cursor
from workloads.nearest import nearest


@dataclass(frozen=True, slots=True)
class ActionEnergies:
    """Energy of the actions of one component, in pJ per access of its full width."""

    read_pj: Fraction = Fraction(0)
    write_pj: Fraction = Fraction(0)
    compute_pj: Fraction = Fraction(0)


def read_energy_table(top: Cursor) -> dict[str, ActionEnergies]:
    """Return the energies of an ``ERT_summary`` file (or of ``ERT`` tables without arguments), by component name.

    Raises
    ------
    InputError
        For unknown keys, energies that depend on arguments, and updates that cost other than writes.
    """
    fields = top.fields((), ("ERT_summary", "ERT"))
    if "ERT_summary" in fields:
        body = fields["ERT_summary"].fields(("table_summary",), ("version",)).get("table_summary")
    else:
        body = fields["ERT"].fields(("tables",), ("version",)).get("tables") if "ERT" in fields else None
    if body is None:
        top.fail("has no ERT_summary", "give the energy reference table that the estimator wrote")
        top.finish()
        return {}
    table: dict[str, ActionEnergies] = {}
    for item in body.items():
        entry = item.fields(("name", "actions"), ("primitive_estimation(s)", "estimator"))
        if "name" in entry and "actions" in entry:
            name = str(entry["name"].value).rpartition(".")[2].partition("[")[0]
            table[name] = _actions(entry["actions"])
    top.finish()
    return table


def _actions(cursor: Cursor) -> ActionEnergies:
    found: dict[str, Fraction] = {}
    for item in cursor.items():
        fields = item.fields(("name", "energy"), ("arguments", "energy_scale_factor", "average_energy"))
        if fields.get("arguments") is not None and fields["arguments"].value not in (None, {}):
            fields["arguments"].fail("makes the energy depend on arguments", "supported: one energy per action")
        if "name" in fields and "energy" in fields:
            name = fields["name"].choice(("read", "write", "update", "compute", "leak"))
            found[name] = Fraction(str(fields["energy"].number(0.0, "pJ")))
    if found.get("update", found.get("write")) != found.get("write"):
        cursor.fail("prices an update other than a write", "supported: equal energies of write and update")
    if found.get("leak"):
        cursor.fail(f"has a leakage of {float(found['leak'])} pJ per cycle", "supported: no leakage; set it to 0")
    zero = Fraction(0)
    return ActionEnergies(found.get("read", zero), found.get("write", zero), found.get("compute", zero))


def timeloop_tree(
    arch: TimeloopArch, spaces: Iterable[str], dims: Iterable[str], energies: Mapping[str, ActionEnergies] | None = None
) -> MemoryTree:
    """Return `arch` as a hierarchy for a problem with data spaces `spaces` and dimensions `dims`.

    Every storage but the outermost may keep or bypass every data space, unless its constraints say otherwise.

    Parameters
    ----------
    energies : mapping of component to ActionEnergies, optional
        None: all energies are 0, which serves for counts and cycles only.

    Raises
    ------
    InputError
        For constraints that name no data space of the problem, and components that the energy table lacks.
    """
    roles, known_dims = tuple(spaces), tuple(dims)
    storages = [node for node in arch.nodes if not node.compute]
    axes: list[ArrayAxis] = []
    inside: list[list[str]] = [[] for _ in storages]  # axes that each storage serves: those introduced inside it
    for at, node in enumerate(arch.nodes):
        for letter, size in zip("XY", node.fanout, strict=True):
            if size > 1:
                axes.append(_axis(node, letter, size, known_dims))
                for outer in inside[:at]:
                    outer.append(axes[-1].name)
    levels = []
    for at, node in enumerate(storages):
        levels.append(_level(node, tuple(inside[at]), roles, at == 0, _energy(node, energies)))
    core = Multiplier(_energy(arch.nodes[-1], energies).compute_pj)
    return MemoryTree(arch.name, tuple(axes), tuple(levels), core, source=f"Timeloop architecture '{arch.name}'")


def _energy(node: TimeloopNode, energies: Mapping[str, ActionEnergies] | None) -> ActionEnergies:
    if energies is None:
        return ActionEnergies()
    if node.name not in energies:
        raise InputError(f"energy table: has no component '{node.name}'{nearest(node.name, energies)}; add it")
    return energies[node.name]


def axis_name(node: TimeloopNode, letter: str) -> str:
    """Return the name of the axis of the fan-out above `node`, along X or Y."""
    return f"{node.fanout_name}_{letter}"


def _axis(node: TimeloopNode, letter: str, size: int, dims: tuple[str, ...]) -> ArrayAxis:
    allowed = node.spatial_dims
    if allowed is not None and allowed[:1] == ("~",):
        allowed = tuple(dim for dim in dims if dim not in allowed[1:])
    if node.forced and min(node.fanout) > 1:
        raise InputError(
            f"component '{node.name}': factors {dict(node.forced)} on a {node.fanout[0]} x {node.fanout[1]} mesh; "
            "supported: forced factors on a mesh with one axis"
        )
    return ArrayAxis(axis_name(node, letter), size, allowed, node.forced)


def _level(
    node: TimeloopNode, serves: tuple[str, ...], roles: tuple[str, ...], outermost: bool, energy: ActionEnergies
) -> Level:
    for space in (*node.keep, *node.bypass):
        if space not in roles:
            raise InputError(
                f"component '{node.name}': constraint names data space '{space}'{nearest(space, roles)}; "
                f"the problem has {', '.join(roles)}"
            )
    keep = roles if outermost else tuple(role for role in roles if role in node.keep)
    may = () if outermost else tuple(role for role in roles if role not in (*node.keep, *node.bypass))
    if outermost and node.bypass:
        raise InputError(f"component '{node.name}': bypasses {', '.join(node.bypass)}; the outermost keeps everything")
    if not keep and not may:
        raise InputError(f"component '{node.name}': bypasses every data space; remove it")
    held = (*keep, *may)
    ports = []
    for name, words, ways in (
        ("read", node.read_words_per_cycle, ("tl", "th")),
        ("write", node.write_words_per_cycle, ("fh", "fl")),
    ):
        if words is not None:
            width = Fraction(str(words)) * node.word_bits
            ports.append(Port(name, width, tuple((role, way) for role in held for way in ways)))  # type: ignore[misc]
    return Level(
        name=node.name, serves=serves, keep=keep, may_keep=may,
        capacity_bits=None if node.depth is None else node.depth * node.width_bits,
        ports=tuple(ports), read_pj=energy.read_pj, write_pj=energy.write_pj, access_bits=node.width_bits,
        buffers=node.buffers,
    )  # fmt: skip

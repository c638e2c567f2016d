"""AccelForge's architecture files (``arch: nodes``), read strictly and made into a memory hierarchy.

Supported: one hierarchy of ``!Memory``, ``!Container`` and one ``!Compute``; figures and sets of tensors as in
`accelforge_expressions`. A cycle is one action of the multipliers. Refused by name: ``!Toll``, ``!Fork``, leakage,
component models (figures must be written out), widths that change from level to level, other latencies than the sum or
the maximum over a component's actions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from hw_models.hierarchy.tree import ArrayAxis, Direction, Level, MemoryTree, Multiplier, Port
from hw_models.importers.accelforge_expressions import EinsumView, number, tensors
from workloads.importers.cursor import Cursor

_SEPARATE = "max(a.n_calls / a.throughput for a in actions)"
_SHARED = "sum(a.n_calls / a.throughput for a in actions)"
_NODE = ("name",)
_FIGURES = ("leak_power", "area", "total_latency", "actions", "component_class", "spatial")


def read_accelforge(top: Cursor, view: EinsumView) -> MemoryTree:
    """Return the hierarchy under `top` for the einsum of `view`.

    Energies become pJ per bit, throughputs bits per cycle, a cycle being one action of the multipliers.

    Raises
    ------
    InputError
        With every mistake of the file.
    """
    arch = top.fields(("arch",), ())
    top.finish()
    body = arch["arch"].fields(("nodes",), ("name", "extra_attributes_for_all_component_models"))
    top.finish()
    items = body["nodes"].items()
    if not items or items[-1].tag != "!Compute":
        body["nodes"].fail("does not end in a !Compute", "put the multipliers last")
    top.finish()
    mac, rate = _compute(items[-1], view)
    axes: list[ArrayAxis] = []
    serves: list[list[str]] = []
    memories: list[tuple[Cursor, dict[str, Cursor]]] = []
    for item in items:
        if item.tag not in ("!Memory", "!Container", "!Compute"):
            item.fail(f"has the tag '{item.tag or 'none'}'", "supported: !Memory, !Container, one !Compute at the end")
            continue
        if item.tag == "!Compute" and item is not items[-1]:
            item.fail("is a second !Compute", "supported: one, at the end")
        optional = {"!Memory": ("size", "tensors", "bits_per_value", *_FIGURES), "!Container": ("spatial",)}
        fields = item.fields(_NODE, optional.get(item.tag, _FIGURES))
        for spatial in fields["spatial"].items() if "spatial" in fields else ():
            axis = _axis(spatial, str(fields["name"].value) if "name" in fields else "?", view)
            axes.append(axis)
            for outer in serves:
                outer.append(axis.name)
        if item.tag == "!Memory":
            memories.append((item, fields))
            serves.append([])
    levels: list[Level | None] = []
    kept_outside: dict[str, frozenset[str]] = {}
    for at, (item, fields) in enumerate(memories):
        level = _memory(item, fields, tuple(serves[at]), view, rate, kept_outside)
        if level is not None:
            kept_outside[level.name] = frozenset(level.keep)
        levels.append(level)
    top.finish()
    name = str(body["name"].value) if "name" in body else top.document.origin.rpartition("/")[2].partition(".")[0]
    made = tuple(level for level in levels if level is not None)
    return MemoryTree(name, tuple(axes), made, Multiplier(mac), source=f"AccelForge architecture '{name}'")


def _compute(item: Cursor, view: EinsumView) -> tuple[Fraction, Fraction]:
    """Return (pJ per MAC, MACs per second of one multiplier)."""
    fields = item.fields(_NODE, _FIGURES)
    actions = _actions(fields, item, ("compute",), view)
    energy, rate, _ = actions.get("compute", (Fraction(0), None, 1))
    if rate is None:
        item.fail("has no finite throughput", "give the actions per second of one multiplier; it defines the cycle")
        rate = Fraction(1)
    return energy, rate


def _actions(
    fields: dict[str, Cursor], item: Cursor, names: tuple[str, ...], view: EinsumView
) -> dict[str, tuple[Fraction, Fraction | None, int]]:
    """Return (pJ, actions per second or None, bits per action) by action."""
    dummy = "component_class" in fields and fields["component_class"].value == "Dummy"
    if "component_class" in fields and not dummy:
        fields["component_class"].fail(
            "takes figures from a component model", "write energy and throughput of each action out, or use Dummy"
        )
    for key in ("leak_power",):
        if key in fields and number(fields[key], view) != 0:
            fields[key].fail("is a leakage", "supported: 0; leave it out of the comparison")
    if "area" in fields and fields["area"].value is not None:
        number(fields["area"], view)
    found: dict[str, tuple[Fraction, Fraction | None, int]] = {}
    for action in fields["actions"].items() if "actions" in fields else ():
        entry = action.fields(("name", "energy"), ("throughput", "latency", "bits_per_action"))
        if "name" not in entry or "energy" not in entry:
            continue
        name = entry["name"].choice(names)
        energy = number(entry["energy"], view)
        rate: Fraction | None = None
        if "throughput" in entry and "latency" in entry:
            action.fail("has throughput and latency", "give one of them")
        if "throughput" in entry:
            value = number(entry["throughput"], view)
            rate = None if value == math.inf else Fraction(str(value))
        elif "latency" in entry:
            value = number(entry["latency"], view)
            rate = None if value == 0 else 1 / Fraction(str(value))
        bits = int(number(entry["bits_per_action"], view)) if "bits_per_action" in entry else 1
        if rate is not None and rate <= 0:
            action.fail("has a throughput that is not positive", "raise it")
            rate = None
        found[name] = (Fraction(str(energy)) * 10**12, rate, max(bits, 1))
    for name in names:
        if name not in found and not dummy:
            item.fail(f"has no action '{name}'", "give its energy and throughput")
    return found


def _axis(item: Cursor, owner: str, view: EinsumView) -> ArrayAxis:
    fields = item.fields(("name", "fanout"), ("reuse", "min_usage"))
    size = fields["fanout"].integer(1, 1 << 20, "instances") if "fanout" in fields else 1
    allowed: tuple[str, ...] | None = None
    if "reuse" in fields:
        reused = tensors(fields["reuse"], view, {})
        allowed = tuple(v for v in view.variables if not any(v in view.relevant[t] for t in reused))
    usage = 0.0
    if "min_usage" in fields:
        usage = fields["min_usage"].number(0.0, "share")
        if usage > 1:
            fields["min_usage"].fail(f"is {usage}", "a share of 0..1 is needed")
    name = f"{owner}_{fields['name'].value}" if "name" in fields else owner
    return ArrayAxis(name, size, allowed, min_used=max(1, math.ceil(size * min(usage, 1.0))))


def _memory(
    item: Cursor,
    fields: dict[str, Cursor],
    serves: tuple[str, ...],
    view: EinsumView,
    clock: Fraction,
    outside: Mapping[str, frozenset[str]],
) -> Level | None:
    if "tensors" not in fields:
        item.fail("has no 'tensors'", "say what it keeps")
        return None
    sets = fields["tensors"].fields((), ("keep", "may_keep"))
    keep = tensors(sets["keep"], view, outside) if "keep" in sets else frozenset()
    may = (tensors(sets["may_keep"], view, outside) if "may_keep" in sets else frozenset()) - keep
    if "bits_per_value" in fields:
        fields["bits_per_value"].fail("changes the width of a tensor at one level", "supported: the workload's widths")
    capacity = number(fields["size"], view) if "size" in fields else math.inf
    if capacity != math.inf and (capacity < 1 or capacity != int(capacity)):
        fields["size"].fail(f"is {capacity}", "a whole number of bits >= 1, or inf, is needed")
        capacity = math.inf
    latency = str(fields["total_latency"].value) if "total_latency" in fields else _SHARED
    if latency not in (_SEPARATE, _SHARED):
        fields["total_latency"].fail(f"is '{latency}'", f"supported: {_SHARED}, or max in place of sum")
    actions = _actions(fields, item, ("read", "write"), view)
    order = tuple(view.relevant)
    held = (*(t for t in order if t in keep), *(t for t in order if t in may))
    if not held:
        item.fail("keeps no tensor", "remove it")
        return None
    reads: tuple[tuple[str, Direction], ...] = tuple((role, way) for role in held for way in ("tl", "th"))
    writes: tuple[tuple[str, Direction], ...] = tuple((role, way) for role in held for way in ("fh", "fl"))
    widths = {name: rate * bits / clock for name, (_, rate, bits) in actions.items() if rate is not None}
    ports: tuple[Port, ...] = ()
    if latency == _SEPARATE:
        ports = tuple(
            Port(name, widths[name], carries, min(Fraction(1), widths[name]))
            for name, carries in (("read", reads), ("write", writes))
            if name in widths
        )
    elif widths:
        if len(set(widths.values())) > 1 or len(widths) != len(actions):
            item.fail("adds up reads and writes of different throughput", f"supported: equal ones, or {_SEPARATE}")
        width = next(iter(widths.values()))
        ports = (Port("both", width, (*reads, *writes), min(Fraction(1), width)),)
    per_bit = {name: energy / bits for name, (energy, _, bits) in actions.items()}
    return Level(
        name=str(fields["name"].value) if "name" in fields else "?",
        serves=serves,
        keep=tuple(t for t in order if t in keep),
        may_keep=tuple(t for t in order if t in may),
        capacity_bits=None if capacity == math.inf else int(capacity),
        ports=ports,
        read_pj=per_bit.get("read", Fraction(0)),
        write_pj=per_bit.get("write", Fraction(0)),
    )

"""Timeloop's architecture files, v0.4 (``nodes``) and the older ``subtree`` / ``local`` form, read strictly.

Both become one list of nodes from DRAM to the multipliers, each with the fan-out above it. Refused by name: fan-outs
that do not divide, siblings that share a tensor, networks, and every key that is not listed below. Attributes that only
an energy estimator reads (technology, ports of a macro, power gating) are accepted, as energies come from its table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from hw_models.importers.timeloop_attributes import MAX_WORDS, attributes_of, factors_of
from workloads.importers.cursor import Cursor

STORAGE = ("DRAM", "SRAM", "smartbuffer_SRAM", "smartbuffer_RF", "regfile", "reg_storage", "storage", "simple_srf")
COMPUTE = ("intmac", "fpmac", "mac", "compute", "intmac_gated")
_OLD_NAME = re.compile(r"([A-Za-z_]\w*)(?:\[(\d+)\.\.(\d+)\])?")


@dataclass(frozen=True, slots=True)
class TimeloopNode:
    """A storage or the multipliers.

    Parameters
    ----------
    fanout : (int, int)
        New copies along X and Y, of this node and everything inside it.
    fanout_name : str
        Container or component that introduces the fan-out, which a mapping's spatial directive may target.
    depth, width_bits, word_bits : int
        Rows (None: no bound), bits of a row and of a word.
    keep, bypass : tuple of str
        Data spaces that constraints keep here and send past here.
    spatial_dims : tuple of str or None
        Dimensions that constraints allow on the fan-out above the node; None for all.
    forced : tuple of (dimension, factor)
        Factors that constraints demand on that fan-out.
    """

    name: str
    kind: str
    compute: bool
    fanout: tuple[int, int]
    fanout_name: str
    depth: int | None = None
    width_bits: int = 8
    word_bits: int = 8
    read_words_per_cycle: float | None = None
    write_words_per_cycle: float | None = None
    buffers: int = 1
    keep: tuple[str, ...] = ()
    bypass: tuple[str, ...] = ()
    spatial_dims: tuple[str, ...] | None = None
    forced: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TimeloopArch:
    """Nodes from the outermost storage to the multipliers."""

    name: str
    nodes: tuple[TimeloopNode, ...]
    notes: tuple[str, ...] = field(default=())


@dataclass
class _Pending:
    """Fan-out and constraints of the containers between the node before and the next one."""

    x: int = 1
    y: int = 1
    name: str = ""
    dims: tuple[str, ...] | None = None
    forced: tuple[tuple[str, int], ...] = ()


def read_arch(top: Cursor) -> TimeloopArch:
    """Return the architecture under `top`.

    Raises
    ------
    InputError
        With every mistake of the file.
    """
    known = ("architecture_constraints", "compound_components", "components", "mapper", "mapspace", "globals")
    fields = top.fields(("architecture",), (*known, "problem", "mapping", "variables", "dumped_by_timeloop_front_end"))
    top.finish()
    for key in ("compound_components", "components", "variables"):
        if key in fields and not _is_empty(fields[key].value):
            fields[key].fail("defines something", "supported: plain storages and multipliers with values written out")
    if "architecture_constraints" in fields:
        for target in fields["architecture_constraints"].fields((), ("targets", "version")).get("targets", top).items():
            target.fail(
                "is a constraint apart from its component", "supported: constraints inside the component (v0.4)"
            )
    body = fields["architecture"]
    if isinstance(body.value, dict) and "nodes" in body.value:
        inner = body.fields(("nodes",), ("version", "name"))
        nodes = _read_nodes(inner["nodes"], _Pending())
    else:
        inner = body.fields(("subtree",), ("version", "name"))
        nodes = _without_dummies(_read_subtree(inner["subtree"], 1, [1])) if "subtree" in inner else []
    top.finish()
    name = str(inner["name"].value) if "name" in inner else top.document.origin.rpartition("/")[2].partition(".")[0]
    if not nodes or not nodes[-1].compute or any(node.compute for node in nodes[:-1]) or len(nodes) < 2:
        kinds = [f"{node.name} ({node.kind})" for node in nodes]
        body.fail(f"has the nodes {kinds}", f"one or more storages, then multipliers ({', '.join(COMPUTE)}) are needed")
    if nodes and nodes[0].fanout != (1, 1):
        body.fail(f"has {nodes[0].fanout} copies of the outermost '{nodes[0].name}'", "one must hold everything")
    words = {node.word_bits for node in nodes if not node.compute}
    if len(words) > 1:
        body.fail(f"has words of {sorted(words)} bits", "supported: one datawidth, as accesses are counted in words")
    top.finish()
    return TimeloopArch(name, tuple(nodes))


def _is_empty(value: object) -> bool:
    return value in (None, [], {}) or (
        isinstance(value, dict) and not any(value.get(k) for k in value if k != "version")
    )


def _read_nodes(cursor: Cursor, pending: _Pending) -> list[TimeloopNode]:
    """Return the nodes of a v0.4 list; `pending` gathers fan-outs until a component takes them."""
    found: list[TimeloopNode] = []
    for item in cursor.items():
        if item.tag in ("!Hierarchical", "!Parallel"):
            inner = item.fields(("nodes",), ("name",))
            part = _read_nodes(inner["nodes"], pending) if "nodes" in inner else []
            if item.tag == "!Parallel":
                _check_parallel(item, part)
            found += part
        elif item.tag == "!Container":
            fields = item.fields(("name",), ("attributes", "spatial", "constraints"))
            if "attributes" in fields:
                attributes_of(fields["attributes"])
            _take_spatial(fields, pending)
        elif item.tag == "!Component":
            found.append(_component(item, pending))
        else:
            item.fail(
                f"has the tag '{item.tag or 'none'}'", "supported: !Container, !Component, !Hierarchical, !Parallel"
            )
    return found


def _check_parallel(item: Cursor, part: list[TimeloopNode]) -> None:
    """Siblings become levels one after the other, which is the same machine if no tensor is in two of them."""
    seen: dict[str, str] = {}
    for node in part:
        if node.fanout != (1, 1) and node is not part[0]:
            item.fail(f"has a fan-out at '{node.name}'", "supported: siblings without a fan-out of their own")
        if not node.keep and len(part) > 1:
            item.fail(f"has '{node.name}' without constraints.dataspace.keep", "name the data spaces of each sibling")
        for space in node.keep:
            if space in seen:
                item.fail(f"keeps {space} in '{seen[space]}' and '{node.name}'", "keep it in one of the siblings")
            seen[space] = node.name


def _component(item: Cursor, pending: _Pending) -> TimeloopNode:
    fields = item.fields(("name", "class"), ("attributes", "spatial", "constraints", "required_actions", "enabled"))
    _take_spatial(fields, pending)
    name = fields["name"].text(r"[A-Za-z_]\w*", "a name") if "name" in fields else "?"
    kind = fields["class"].choice((*STORAGE, *COMPUTE)) if "class" in fields else "storage"
    if "enabled" in fields and fields["enabled"].value is not True:
        fields["enabled"].fail("is not true", "remove the component")
    keep, bypass = _dataspace(fields)
    node = _node(name, kind, fields.get("attributes"), (pending.x, pending.y), pending.name or name)
    made = replace(node, keep=keep, bypass=bypass, spatial_dims=pending.dims, forced=pending.forced)
    pending.x, pending.y, pending.name, pending.dims, pending.forced = 1, 1, "", None, ()
    return made


def _take_spatial(fields: dict[str, Cursor], pending: _Pending) -> None:
    """Add the fan-out of a container or component to what the next component stands under."""
    if "spatial" in fields:
        mesh = fields["spatial"].fields((), ("meshX", "meshY"))
        if pending.name and mesh and (pending.x > 1 or pending.y > 1):
            fields["spatial"].fail("is a second fan-out with no storage between", "merge the two meshes into one")
        pending.x *= mesh["meshX"].integer(1, 1 << 20, "copies along X") if "meshX" in mesh else 1
        pending.y *= mesh["meshY"].integer(1, 1 << 20, "copies along Y") if "meshY" in mesh else 1
        pending.name = str(fields["name"].value) if "name" in fields else ""
    if "constraints" not in fields:
        return
    constraints = fields["constraints"].fields((), ("spatial", "dataspace"))
    if "spatial" in constraints:
        spatial = constraints["spatial"].fields((), ("factors", "permutation", "split"))
        if "permutation" in spatial or "split" in spatial:
            fields["constraints"].fail("fixes the order of spatial loops", "supported: spatial.factors alone")
        if "factors" in spatial:
            given = factors_of(spatial["factors"])
            pending.forced = tuple((dim, factor) for dim, factor in given.items() if factor > 1)
            barred = {dim for dim, factor in given.items() if factor == 1}
            if pending.forced:
                pending.dims = tuple(dim for dim, _ in pending.forced)
            elif barred:
                pending.dims = ("~", *sorted(barred))  # all but these; resolved against the problem


def _dataspace(fields: dict[str, Cursor]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    constraints = fields.get("constraints")
    if constraints is None or not isinstance(constraints.value, dict) or "dataspace" not in constraints.value:
        return (), ()
    inner = constraints.at("dataspace", constraints.value["dataspace"]).fields((), ("keep", "bypass"))
    keep = tuple(item.text() for item in inner["keep"].items()) if "keep" in inner else ()
    bypass = tuple(item.text() for item in inner["bypass"].items()) if "bypass" in inner else ()
    if set(keep) & set(bypass):
        constraints.fail(f"keeps and bypasses {sorted(set(keep) & set(bypass))}", "choose one")
    return keep, bypass


def _node(
    name: str, kind: str, attributes: Cursor | None, fanout: tuple[int, int], fanout_name: str
) -> TimeloopNode:  # fmt: skip
    fields = attributes_of(attributes)
    word = fields["datawidth"].integer(1, 1024, "bits") if "datawidth" in fields else 8
    width = fields["width"].integer(1, 1 << 20, "bits") if "width" in fields else word
    if "block_size" in fields:
        width = word * fields["block_size"].integer(1, 1 << 20, "words")
    if width % word:
        fields["width"].fail(f"is {width} bits", f"a multiple of datawidth ({word} bits) is needed")
    compute = kind in COMPUTE
    depth = fields["depth"].integer(1, MAX_WORDS, "rows") if "depth" in fields else None
    if depth is None and not compute and kind != "DRAM" and attributes is not None:
        attributes.fail("has no depth", "give the rows of the storage; only DRAM has no bound")
    return TimeloopNode(
        name, kind, compute, fanout, fanout_name, depth, width, word,
        fields["read_bandwidth"].number(1e-9, "words per cycle") if "read_bandwidth" in fields else None,
        fields["write_bandwidth"].number(1e-9, "words per cycle") if "write_bandwidth" in fields else None,
        fields["multiple_buffering"].integer(1, 2, "copies") if "multiple_buffering" in fields else 1,
    )  # fmt: skip


def _read_subtree(cursor: Cursor, above: int, previous: list[int]) -> list[TimeloopNode]:
    """Return the nodes of an old-style subtree list; counts multiply down subtrees."""
    found: list[TimeloopNode] = []
    for item in cursor.items():
        fields = item.fields(("name",), ("attributes", "local", "subtree"))
        if "attributes" in fields:
            attributes_of(fields["attributes"])
        _, count = _old_name(fields["name"]) if "name" in fields else ("?", 1)
        if "local" in fields:
            found += [_local(entry, above * count, previous) for entry in fields["local"].items()]
        if "subtree" in fields:
            found += _read_subtree(fields["subtree"], above * count, previous)
    if len(cursor.items()) > 1:
        cursor.fail("has several branches", "supported: one branch from DRAM to the multipliers")
    return found


def _without_dummies(nodes: list[TimeloopNode]) -> list[TimeloopNode]:
    """Return the real nodes; a dummy storage only names the fan-out below it and may bring copies of its own."""
    found: list[TimeloopNode] = []
    x = y = 1
    name = ""
    for node in nodes:
        if node.kind == "dummy_storage":
            x, y, name = x * node.fanout[0], y * node.fanout[1], node.name
            continue
        found.append(replace(node, fanout=(x * node.fanout[0], y * node.fanout[1]), fanout_name=name or node.name))
        x, y, name = 1, 1, ""
    return found


def _old_name(cursor: Cursor) -> tuple[str, int]:
    match = _OLD_NAME.fullmatch(cursor.value) if isinstance(cursor.value, str) else None
    if match is None or (match[2] is not None and int(match[3]) < int(match[2])):
        cursor.fail(f"is '{cursor.value}'", "a name, or a name with a range such as PE[0..15], is needed")
        return "?", 1
    return match[1], int(match[3]) - int(match[2]) + 1 if match[2] is not None else 1


def _local(entry: Cursor, above: int, previous: list[int]) -> TimeloopNode:
    fields = entry.fields(("name", "class"), ("attributes", "required_actions", "enabled"))
    name, count = _old_name(fields["name"]) if "name" in fields else ("?", 1)
    kind = fields["class"].choice((*STORAGE, *COMPUTE, "dummy_storage")) if "class" in fields else "storage"
    total = above * count
    if total % previous[0]:
        entry.fail(f"has {total} instances under {previous[0]}", "each instance above must feed the same number below")
        total = previous[0]
    fan = total // previous[0]
    attributes = fields.get("attributes")
    mesh = attributes_of(attributes).get("meshX")
    columns = mesh.integer(1, 1 << 20, "copies along X") if mesh is not None else total
    x = fan if columns >= total or columns < 1 else max(1, min(fan, columns))
    if fan % x:
        entry.fail(f"has {total} instances on a mesh {columns} wide", "the width must divide the fan-out")
        x = fan
    previous[0] = total
    return _node(name, kind, attributes if kind != "dummy_storage" else None, (x, fan // x), name)

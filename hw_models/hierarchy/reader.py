"""Hierarchies as YAML files (schema ``tilewright.hierarchy/1``): strict reader, presets, writer.

Every mistake of a file is reported at once, with file, line and path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from hw_models.hierarchy.tree import ArrayAxis, Level, MemoryTree, Multiplier, Port
from hw_models.units import ENERGY_PJ, Unit
from hw_models.yaml_edge import YamlDocument, YamlPath, parse_yaml, read_yaml
from workloads.errors import InputError
from workloads.nearest import nearest

SCHEMA = "tilewright.hierarchy/1"
_BITS = {"b": Fraction(1), "B": Fraction(8), "Kib": Fraction(1 << 10), "Mib": Fraction(1 << 20), "KB": Fraction(8000)}
_BITS |= {"KiB": Fraction(8 << 10), "MiB": Fraction(8 << 20), "GiB": Fraction(8 << 30)}
BITS = Unit("a size", MappingProxyType(_BITS), "64KiB or 512b")
BITS_PER_CYCLE = Unit(
    "a width", MappingProxyType({"b/cycle": Fraction(1), "B/cycle": Fraction(8)}), "64b/cycle or 8B/cycle"
)


def _reader(parse: Callable[[Any], Any]) -> BeforeValidator:
    def read(value: Any) -> Any:
        try:
            return parse(value)
        except InputError as error:
            raise PydanticCustomError("quantity", "{message}", {"message": str(error)}) from error

    return BeforeValidator(read)


def _whole_bits(text: object) -> int:
    value = BITS.parse(text)
    if value.denominator != 1:
        raise InputError(f"'{text}' is {float(value):g} bits, a whole number is needed; round it")
    return value.numerator


Bits = Annotated[int, _reader(_whole_bits)]
Width = Annotated[Fraction, _reader(BITS_PER_CYCLE.parse)]
Picojoules = Annotated[Fraction, _reader(ENERGY_PJ.parse)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Count = Annotated[int, Field(ge=1, le=1 << 24)]
Way = Literal["fh", "tl", "fl", "th"]


class _Node(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


class AxisNode(_Node):
    """An axis of the multiplier grid."""

    name: Name
    size: Count
    dims: list[Name] | None = None
    forced: dict[Name, Count] = {}
    max_dims: Count | None = None
    min_used: Count = 1
    systolic: bool = False


class PortNode(_Node):
    """A port of a level."""

    name: Name
    width: Width
    min_width: Width | None = None
    carries: dict[Name, list[Way]]


class LevelNode(_Node):
    """A memory level."""

    name: Name
    keep: list[Name] = []
    may_keep: list[Name] = []
    serves: list[Name] | None = None
    capacity: Bits | None = None
    parts: dict[Name, Bits] = {}
    ports: list[PortNode] = []
    read: Picojoules = Fraction(0)
    write: Picojoules = Fraction(0)
    access: Bits = 1
    rounded_access: bool = False
    buffers: int = 1
    banks: Count = 1
    multicast: list[Name] | None = None
    reduces: bool = True


class MultiplierNode(_Node):
    """The multipliers."""

    mac: Picojoules = Fraction(0)
    latency_cycles: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    skips: list[Name] = []
    gates: list[Name] = []


class PrecisionNode(_Node):
    """Bits of the operands."""

    input: Bits = 8
    weight: Bits = 8
    sum: Bits = 24
    output: Bits = 8


class HierarchyNode(_Node):
    """A hierarchy file."""

    schema_: Literal["tilewright.hierarchy/1"] = Field(alias="schema")
    name: Name
    summary: str = ""
    source: str = ""
    axes: list[AxisNode] = []
    levels: list[LevelNode]
    multiplier: MultiplierNode = MultiplierNode()
    precision: PrecisionNode = PrecisionNode()
    area: Annotated[int, Field(ge=0)] = 0


def hierarchy_presets() -> tuple[str, ...]:
    """Return the names of the shipped hierarchies, sorted."""
    files = resources.files("hw_models.hierarchy.presets").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def is_hierarchy(name_or_path: str | Path) -> bool:
    """Tell whether `name_or_path` is a preset of this package or a file with this schema."""
    if str(name_or_path) in hierarchy_presets():
        return True
    path = Path(name_or_path)
    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        return False
    document = read_yaml(path)
    return isinstance(document.tree, dict) and str(document.tree.get("schema", "")).startswith("tilewright.hierarchy/")


def load_hierarchy(name_or_path: str | Path) -> MemoryTree:
    """Return the hierarchy of a preset or of a file.

    Raises
    ------
    InputError
        With every mistake of the file, each with file, line and path.

    Examples
    --------
    >>> load_hierarchy("eyeriss_like").multipliers
    168
    """
    name = str(name_or_path)
    if name in hierarchy_presets():
        text = (resources.files("hw_models.hierarchy.presets") / f"{name}.yaml").read_text(encoding="utf-8")
        return read_hierarchy(parse_yaml(text, f"{name}.yaml"))
    if Path(name).suffix.lower() not in (".yaml", ".yml"):
        hint = nearest(name, hierarchy_presets()) or f"; use one of {', '.join(hierarchy_presets())}"
        raise InputError(f"hierarchy '{name}' is unknown{hint} (or name a .yaml file)")
    return read_hierarchy(read_yaml(name))


def read_hierarchy(document: YamlDocument) -> MemoryTree:
    """Return the hierarchy that `document` describes."""
    try:
        node = HierarchyNode.model_validate(document.tree)
    except ValidationError as error:
        raise InputError("\n".join(_explain(document, item) for item in error.errors(include_url=False))) from None
    mistakes: list[str] = []

    def part(path: YamlPath, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except InputError as error:
            mistakes.append(f"{document.where(path)}: {error}")

    axes = [part(("axes", at), partial(_axis, axis)) for at, axis in enumerate(node.axes)]
    everything = tuple(axis.name for axis in node.axes)
    levels = [part(("levels", at), partial(_level, level, everything)) for at, level in enumerate(node.levels)]
    multiplier = node.multiplier
    core = Multiplier(multiplier.mac, multiplier.latency_cycles, tuple(multiplier.skips), tuple(multiplier.gates))
    bits = (node.precision.input, node.precision.weight, node.precision.sum, node.precision.output)
    area = Fraction(node.area)
    if not mistakes:
        tree = part((), partial(MemoryTree, node.name, tuple(axes), tuple(levels), core, area, node.source, bits))
    if mistakes:
        raise InputError("\n".join(mistakes))
    made: MemoryTree = tree
    return made


def _axis(node: AxisNode) -> ArrayAxis:
    dims = None if node.dims is None else tuple(node.dims)
    return ArrayAxis(
        node.name, node.size, dims, tuple(node.forced.items()), node.max_dims, node.min_used, node.systolic
    )


def _level(node: LevelNode, everything: tuple[str, ...]) -> Level:
    return Level(
        name=node.name,
        serves=everything if node.serves is None else tuple(node.serves),
        keep=tuple(node.keep),
        may_keep=tuple(node.may_keep),
        capacity_bits=node.capacity,
        parts_bits=tuple(node.parts.items()),
        ports=tuple(
            Port(
                port.name,
                port.width,
                tuple((role, way) for role, ways in port.carries.items() for way in ways),
                Fraction(1) if port.min_width is None else port.min_width,
            )
            for port in node.ports
        ),
        read_pj=node.read,
        write_pj=node.write,
        access_bits=node.access,
        rounded_access=node.rounded_access,
        buffers=node.buffers,
        banks=node.banks,
        multicast=None if node.multicast is None else tuple(node.multicast),
        reduces=node.reduces,
    )


_KEYS: dict[str, type[BaseModel]] = {
    "axes": AxisNode,
    "levels": LevelNode,
    "ports": PortNode,
    "multiplier": MultiplierNode,
    "precision": PrecisionNode,
}


def _explain(document: YamlDocument, item: Any) -> str:
    """Return one pydantic error with its place (§3.6)."""
    path: YamlPath = tuple("schema" if part == "schema_" else part for part in item["loc"])
    label = ".".join(str(part) for part in path) or "file"
    place = f"{document.where(path)}: {label}"
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        around = next((part for part in reversed(path[:-1]) if isinstance(part, str)), "")
        known = [field.alias or name for name, field in _KEYS.get(around, HierarchyNode).model_fields.items()]
        return f"{place}: key is unknown{nearest(str(path[-1]), known) or '; use one of ' + ', '.join(known)}"
    if kind == "missing":
        return f"{place}: key is missing; add it"
    if kind == "quantity":
        return f"{place}: {item['ctx']['message']}"
    shown = f"{value!r:.60}" if not isinstance(value, dict | list) else f"a {type(value).__name__}"
    return f"{place}: value is {shown}: {item['msg'][0].lower()}{item['msg'][1:]}; correct it"


def dump_hierarchy(tree: MemoryTree) -> str:
    """Return `tree` as the text of a file that reads back to the equal object."""
    lines = [f"schema: {SCHEMA}", f"name: {tree.name}", f"source: {_quoted(tree.source)}"]
    lines.append("axes:" if tree.axes else "axes: []")
    for axis in tree.axes:
        items = [f"name: {axis.name}", f"size: {axis.size}"]
        items += [] if axis.dims is None else [f"dims: {_list(axis.dims)}"]
        items += [f"forced: {_table(axis.forced)}"] if axis.forced else []
        items += [] if axis.max_dims is None else [f"max_dims: {axis.max_dims}"]
        items += [f"min_used: {axis.min_used}"] if axis.min_used > 1 else []
        items += ["systolic: true"] if axis.systolic else []
        lines.append(f"  - {{{', '.join(items)}}}")
    lines.append("levels:")
    for level in tree.levels:
        lines += _level_lines(level)
    core = tree.multiplier
    lines += ["multiplier:", f"  mac: {_exact(core.mac_pj)}pJ", f"  latency_cycles: {core.latency_cycles}"]
    lines += [f"  skips: {_list(core.skips)}", f"  gates: {_list(core.gates)}", f"area: {int(tree.area)}"]
    names = ("input", "weight", "sum", "output")
    pairs = zip(names, tree.precision_bits, strict=True)
    lines.append(f"precision: {_table((name, f'{bits}b') for name, bits in pairs)}")
    return "\n".join(lines) + "\n"


def _level_lines(level: Level) -> list[str]:
    lines = [f"  - name: {level.name}", f"    keep: {_list(level.keep)}", f"    may_keep: {_list(level.may_keep)}"]
    lines.append(f"    serves: {_list(level.serves)}")
    lines += [] if level.capacity_bits is None else [f"    capacity: {level.capacity_bits}b"]
    if level.parts_bits:
        lines.append(f"    parts: {_table((role, f'{bits}b') for role, bits in level.parts_bits)}")
    lines += [f"    read: {_exact(level.read_pj)}pJ", f"    write: {_exact(level.write_pj)}pJ"]
    lines += [f"    access: {level.access_bits}b", f"    rounded_access: {str(level.rounded_access).lower()}"]
    lines += [
        f"    buffers: {level.buffers}",
        f"    banks: {level.banks}",
        f"    reduces: {str(level.reduces).lower()}",
    ]
    lines += [] if level.multicast is None else [f"    multicast: {_list(level.multicast)}"]
    lines.append("    ports:" if level.ports else "    ports: []")
    for port in level.ports:
        carries: dict[str, list[str]] = {}
        for role, way in port.carries:
            carries.setdefault(role, []).append(way)
        ways = _table((role, _list(items)) for role, items in carries.items())
        width, least = _exact(port.max_bits), _exact(port.min_bits)
        lines.append(
            f"      - {{name: {port.name}, width: {width}b/cycle, min_width: {least}b/cycle, carries: {ways}}}"
        )
    return lines


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _table(items: Iterable[tuple[str, object]]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}"


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _exact(value: Fraction) -> str:
    """Return a decimal text of `value`, which came from one or is rounded to 30 places."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = round(value * 10**30)
    digits = str(scaled).rjust(31, "0")
    return f"{digits[:-30]}.{digits[-30:].rstrip('0') or '0'}"

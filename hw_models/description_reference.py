"""Tables of docs/accelerators.md, made from the schema, the units and the presets, so that they cannot drift.

Renew them with ``python -c "from hw_models.description_reference import update_page as u; u('docs/accelerators.md')"``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hw_models import units
from hw_models.description import description_schema, list_accelerators, load_accelerator


def key_table() -> str:
    """Return the Markdown table of every key: path, value, default, meaning."""
    root = description_schema()
    lines = ["| key | value | if left out | meaning |", "|---|---|---|---|"]
    lines += _rows(root, root, "")
    return "\n".join(lines)


def _rows(root: dict[str, Any], node: dict[str, Any], prefix: str) -> list[str]:
    """Return the table rows of one object of the schema, depth first."""
    lines: list[str] = []
    required = set(node.get("required", ()))
    for key, schema in node["properties"].items():
        listed = schema.get("type") == "array" and "$ref" in schema["items"]
        inner = _object(root, schema["items"] if listed else schema)
        path = f"{prefix}{key}"
        if inner is not None:
            optional = "" if key in required else " (optional)"
            text = inner.get("description", "").split("\n")[0]
            lines.append(f"| **{path}** | {'list' if listed else 'mapping'}{optional} | | {text} |")
            lines += _rows(root, inner, f"{path}.")
            continue
        default = schema.get("default")
        missing = "refused" if key in required else "-" if default is None else f"`{str(default).lower()}`"
        lines.append(f"| {path} | {_value(schema)} | {missing} | {schema.get('description', '')} |")
    return lines


def _object(root: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the object that `schema` refers to, through an optional."""
    for option in schema.get("anyOf", [schema]):
        if "$ref" in option:
            found: dict[str, Any] = root["$defs"][option["$ref"].rsplit("/", 1)[1]]
            return found
    return None


def _value(schema: dict[str, Any]) -> str:
    """Return how a value is written."""
    plain = next((option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"), schema)
    if "enum" in plain:
        return ", ".join(f"`{word}`" for word in plain["enum"])
    if plain.get("type") == "array":
        return f"list of {_value(plain['items'])}"
    if "examples" in plain:
        return f"like `{plain['examples'][0]}`"
    return {"string": "text", "integer": "integer", "boolean": "`true`, `false`", "object": "mapping"}[plain["type"]]


def unit_table() -> str:
    """Return the Markdown table of quantities and their unit suffixes."""
    known = (
        units.BYTES,
        units.FREQUENCY_MHZ,
        units.BANDWIDTH,
        units.BYTES_PER_CYCLE,
        units.LATENCY,
        units.ENERGY_PJ,
        units.NODE_NM,
    )
    rows = [f"| {unit.kind.split(' ', 1)[1]} | {', '.join(f'`{name}`' for name in unit.scales)} |" for unit in known]
    return "\n".join(["| quantity | suffixes |", "|---|---|", *rows])


def preset_table() -> str:
    """Return the Markdown table of the presets."""
    lines = ["| name | what it is | MACs | clock | DRAM | MAC energy | source |", "|---|---|---|---|---|---|---|"]
    for row in list_accelerators():
        machine = load_accelerator(row.name)
        array = machine.core.array
        lines.append(
            f"| `{row.name}` | {row.summary} | {array.multipliers} | {float(machine.clock_mhz):g} MHz | "
            f"{float(machine.dram.bytes_per_cycle):.4g} B/cycle | {float(array.mac_pj):.3g} pJ at "
            f"{machine.technology_nm} nm | {row.source} |"
        )
    return "\n".join(lines)


def update_page(path: str | Path) -> None:
    """Rewrite the generated tables of the page `path`, between their marks."""
    page = Path(path)
    text = page.read_text(encoding="utf-8")
    for mark, table in (("units", unit_table()), ("keys", key_table()), ("presets", preset_table())):
        opening, closing = f"<!-- {mark} -->\n", f"\n<!-- end {mark} -->"
        before, rest = text.split(opening)
        text = before + opening + table + closing + rest.split(closing)[1]
    page.write_text(text, encoding="utf-8")

"""Descriptions: the reference machine as stated, overrides by short path, derived widths, sources, hash, schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hw_models.description import description_schema, list_accelerators, load_accelerator, preset_names
from hw_models.description_paths import dotted, names, resolve, walk
from hw_models.yaml_edge import parse_yaml
from workloads.errors import InputError

PRESETS = (
    "edge_ddr4",
    "edge_int8",
    "engine_8x8",
    "engine_8x8_nm",
    "eyeriss_v1",
    "gemmini_16x16",
    "nvdla_large",
    "nvdla_small",
    "scalesim_128",
    "scalesim_32",
    "scalesim_8",
    "tpu_v1",
    "zu3eg_int8",
)


def preset_text(name: str) -> str:
    from importlib import resources

    return (resources.files("hw_models.presets") / f"{name}.yaml").read_text(encoding="utf-8")


def test_edge_int8_is_the_machine_of_the_contract() -> None:
    a = load_accelerator("edge_int8")
    core = a.core
    assert (a.clock_mhz, a.technology_nm) == (400, 45)
    assert (core.array.kind, core.array.rows, core.array.cols, core.array.dataflows) == (
        "systolic",
        32,
        32,
        ("ws", "os"),
    )
    assert core.array.reduction_unroll == "window"
    assert (core.input.half_bytes, core.weight.half_bytes, core.accumulator.half_bytes) == (131072, 131072, 65536)
    assert (core.vector.lanes, core.vector.operand_half_bytes, core.vector.output_half_bytes) == (32, 16384, 16384)
    assert (a.dram.bytes_per_cycle, a.dram.latency_cycles, a.dram.beat_bytes, a.dram.burst_bytes) == (32, 40, 32, 512)
    assert (core.input.read_bytes_per_cycle, core.accumulator.read_bytes_per_cycle) == (32, 128)
    assert core.array.mac_pj == Fraction(3, 10)
    assert a.dram.energy_pj_per_byte == 64


def test_the_catalogue_lists_every_preset_with_a_source() -> None:
    rows = list_accelerators()
    assert tuple(row.name for row in rows) == PRESETS == preset_names()
    for row in rows:
        assert row.summary
        assert row.source
        assert load_accelerator(row.name).name == row.name


@pytest.mark.parametrize("name", PRESETS)
def test_every_figure_of_a_preset_names_its_own_source(name: str) -> None:
    tree = parse_yaml(preset_text(name), name).tree
    stated = {names(resolve(key, leaves_only=False, subject=key)) for key in tree["sources"]}
    sources = dict(load_accelerator(name).sources)
    for path, leaf in walk():
        full = names(path)
        if (
            leaf
            and full[-1] not in ("name", "summary", "source")
            and "energy" not in full[1:]
            and dotted(path) in sources
        ):
            assert any(full[: len(key)] == key for key in stated), f"{name}: {dotted(path)} has no source of its own"
    for part in ("dram", "cores.array", "cores.vector", "cores.scratchpads.input"):
        assert sources[f"{part}.energy"]


def test_recalled_figures_say_so() -> None:
    for name, path in [
        ("tpu_v1", "clocks.frequency"),
        ("tpu_v1", "dram.bandwidth"),
        ("gemmini_16x16", "clocks.frequency"),
        ("eyeriss_v1", "clocks.frequency"),
        ("eyeriss_v1", "cores.array.rows"),
    ]:
        assert "unverified" in dict(load_accelerator(name).sources)[path]


def bram36(half_bytes: int, width_bytes: int) -> int:
    """Return the 36 Kib blocks of a memory of 8-bit words, at the best of the block's shapes (data bits x words)."""
    depth = -(-half_bytes // width_bytes)
    shapes = ((64, 512), (32, 1024), (16, 2048), (8, 4096))
    return min(-(-width_bytes * 8 // bits) * -(-depth // words) for bits, words in shapes)


def test_zu3eg_fits_its_device() -> None:
    """ZU3EG as usable in Xilinx/finn: 360 DSP, 412 blocks of 18 Kib."""
    core = load_accelerator("zu3eg_int8").core
    blocks = sum(2 * bram36(p.half_bytes, p.write_bytes_per_cycle) for p in (core.input, core.weight, core.accumulator))
    blocks += 2 * bram36(core.vector.operand_half_bytes, core.vector.lanes)
    blocks += 2 * bram36(core.vector.output_half_bytes, core.vector.lanes)
    assert blocks == 136 <= 412 // 2
    assert core.array.pes == 256 <= 360


def test_overrides_reach_leaves_by_short_paths() -> None:
    a = load_accelerator("edge_int8", ["dram.bandwidth=10GB/s", "core.rows=64", "core.input.half=256KiB", "lanes=16"])
    assert a.dram.bytes_per_cycle == 25
    assert (a.core.array.rows, a.core.input.half_bytes, a.core.vector.lanes) == (64, 262144, 16)
    assert a.core.input.read_bytes_per_cycle == 64
    assert dict(a.sources)["cores.array.rows"] == "override core.rows=64"
    assert load_accelerator("edge_int8", ["cores.array.dataflows=[os]"]).core.array.dataflows == ("os",)
    assert load_accelerator("edge_int8", ["core.rows=8", "core.rows=16"]).core.array.rows == 16


@pytest.mark.parametrize("rows", [1, 3, 32, 200])
@pytest.mark.parametrize("cols", [1, 5, 32, 130])
def test_widths_follow_the_array(rows: int, cols: int) -> None:
    core = load_accelerator("edge_int8", [f"core.rows={rows}", f"core.cols={cols}"]).core
    assert core.input.read_bytes_per_cycle == max(rows, 32)  # a pixel's rows, or the vector unit's lanes
    assert core.input.write_bytes_per_cycle == max(rows, 32)
    assert core.weight.read_bytes_per_cycle == cols
    assert core.accumulator.read_bytes_per_cycle == core.accumulator.write_bytes_per_cycle == 4 * max(cols, 32)


def test_a_stated_width_is_kept_and_checked() -> None:
    assert load_accelerator("edge_int8", ["core.input.read_width=48B/cycle"]).core.input.read_bytes_per_cycle == 48
    with pytest.raises(InputError, match="read port gives 16 bytes per cycle, the array needs 32"):
        load_accelerator("edge_int8", ["core.input.read_width=16B/cycle"])


def test_an_energy_override_is_its_own_source() -> None:
    a = load_accelerator("edge_int8", ["dram.energy.per_byte=100pJ", "array.energy.mac=0.5pJ"])
    assert (a.dram.energy_pj_per_byte, a.core.array.mac_pj) == (100, Fraction(1, 2))
    assert a.dram.energy_source == "override dram.energy.per_byte=100pJ"
    assert dict(a.sources)["cores.array.energy"] == "override array.energy.mac=0.5pJ"
    assert load_accelerator("edge_int8", ["dram.energy.standard=HBM2"]).dram.energy_pj_per_byte == 50
    assert load_accelerator("edge_int8", ["energy.node=22nm"]).core.array.mac_pj < Fraction(3, 10)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("core.rws=3", "'core.rws' names no key; did you mean 'cores.array.rows'"),
        ("core.half=3KiB", "fits cores.scratchpads.input.half, .*write one of them"),
        ("rows", "expected PATH=VALUE"),
        ("rows=", "expected PATH=VALUE"),
        ("=4", "expected PATH=VALUE"),
        ("core.array=4", "'core.array' is a part, not a leaf; add one of its keys: kind, rows, cols"),
        ("clock=4MHz", "'clock' is a part, not a leaf; add one of its keys: name, frequency"),
        ("core.rows=0", r"--set core\.rows=0: cores\.array\.rows: value is 0"),
        ("core.rows='4'", "an integer without unit or quotes"),
        ("core.rows=4.0", "value is 4.0, an integer"),
        ("core.rows=true", "value is True, an integer"),
        ("core.rows=*a", "alias|not valid YAML"),
        ("dram.bandwidth=10", "'10' has no unit"),
        ("dram.latency=101ns", r"dram\.latency: latency is 40\.4 cycles"),
        ("dram.burst=48B", "burst_bytes is 48, not a multiple of beat_bytes"),
        ("core.kind=systolc", "did you mean 'systolic'"),
        ("dataflows=[ws, xs]", "value is 'xs', bound is ws, os, is, rs"),
        ("input_format=int99", "bits is 99, bound is 1..64"),
        ("input_format=float16", "arrays compute with intN or uintN"),
        ("core.input.buffers=4", "buffers is 4, bound is 1..3; use 1, 2 or 3"),
        ("energy.table=publised", "did you mean 'published'"),
        ("energy.node=5nm", "node is 5 nm, bound is 7..130 nm"),
        ("core.input.half=4MiB", "outside its rows.*allow_default"),
        ("dram.energy.standard=LPDDR9", "has no figure; did you mean 'lpddr"),
        ("input_format=int4", None),
        ("weight_format=int24", "no figure 'int24_mult'; give the value and its source"),
    ],
)
def test_overrides_are_checked_like_the_file(override: str, message: str | None) -> None:
    if message is None:
        assert load_accelerator("edge_int8", [override]).core.array.pes == 1024
        return
    with pytest.raises(InputError, match=message) as caught:
        load_accelerator("edge_int8", [override])
    assert override in str(caught.value)


def test_defaults_are_taken_only_when_named_and_say_so() -> None:
    big = load_accelerator("edge_int8", ["core.input.half=4MiB", "energy.allow_default=true"])
    assert "default: grown from the 2097152 byte row" in big.core.input.energy_source
    assert (
        big.core.input.read_pj_per_byte
        > load_accelerator("edge_int8", ["core.input.half=2MiB"]).core.input.read_pj_per_byte
    )


def test_all_mistakes_of_a_file_are_reported_together(tmp_path: Path) -> None:
    text = (
        preset_text("edge_int8")
        .replace("      rows: 32\n", "      rows: '32'\n      colour: red\n")
        .replace("    frequency: 400MHz", "    frequency: 400")
        .replace("    lanes: 32", "    lane: 32")
        .replace("      lanes: 32", "      lane: 32")
    )
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_accelerator(file)
    message = str(caught.value)
    lines = text.splitlines()
    assert "5 mistakes" in message
    for fragment, part in [
        ("frequency: 400", "clocks.frequency: '400' has no unit"),
        ("rows: '32'", "cores.array.rows: value is '32', an integer"),
        ("colour: red", "key 'colour' is unknown"),
        ("lane: 32", "key 'lane' is unknown; did you mean 'lanes'?"),
    ]:
        number = next(i for i, line in enumerate(lines, 1) if fragment in line)
        assert f"{file}:{number}: " in message
        assert part in message
    assert "key 'lanes' is missing" in message


def test_machine_mistakes_are_also_collected(tmp_path: Path) -> None:
    file = tmp_path / "machine.yaml"
    file.write_text(
        preset_text("edge_int8").replace("burst: 512B", "burst: 48B").replace("kind: systolic", "kind: adder_tree")
    )
    with pytest.raises(InputError, match=r"2 mistakes\n.*burst_bytes is 48(.|\n)*adder_tree needs"):
        load_accelerator(file)


@pytest.mark.parametrize(("part", "plural"), [("dram", "DRAM channels"), ("cores", "cores")])
def test_more_than_one_part_is_refused_by_name(tmp_path: Path, part: str, plural: str) -> None:
    text = preset_text("edge_int8")
    start = text.index(f"\n{part}:\n") + len(f"\n{part}:\n")
    end = next(
        (text.index(f"\n{key}:\n", start) for key in ("dram", "cores", "energy") if f"\n{key}:\n" in text[start:]), 0
    )
    block = text[start : end + 1]
    file = tmp_path / "two.yaml"
    first = block.split("name: ", 1)[1].split("\n", 1)[0]
    file.write_text(text[: end + 1] + block.replace(f"name: {first}", "name: second", 1) + text[end + 1 :])
    with pytest.raises(InputError, match=rf"2 {plural} \({first}, second\), bound is 1, more are not simulated yet"):
        load_accelerator(file)


def test_parts_of_later_versions_are_named(tmp_path: Path) -> None:
    file = tmp_path / "later.yaml"
    file.write_text(preset_text("edge_int8") + "links: []\n")
    with pytest.raises(InputError, match="links between cores: not simulated yet"):
        load_accelerator(file)


def test_a_missing_energy_figure_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "no_table.yaml"
    file.write_text(preset_text("edge_int8").replace("  table: published\n", ""))
    with pytest.raises(InputError, match=r"cores\.array\.energy: energy is missing; give the value and its source"):
        load_accelerator(file)


def test_the_hash_is_of_the_machine_not_of_the_text(tmp_path: Path) -> None:
    reference = load_accelerator("edge_int8")
    same = tmp_path / "same.yaml"
    same.write_text(
        "# a comment\n"
        + preset_text("edge_int8").replace("bandwidth: 12.8GB/s", "bandwidth: 32B/cycle").replace("128KiB", "131072B")
    )
    assert load_accelerator(same).sha256 == reference.sha256
    seen = {reference.sha256}
    for override in (
        "core.rows=31",
        "dram.latency=41cycles",
        "clock.frequency=200MHz",
        "special=5cycles",
        "issue=2cycles",
    ):
        seen.add(load_accelerator("edge_int8", [override]).sha256)
    assert len(seen) == 6


def test_the_hash_leaves_prose_out(tmp_path: Path) -> None:
    hashes = set()
    for source in ("a paper", "another paper"):
        file = tmp_path / "prose.yaml"
        energy = f"reduction_unroll: window\n      energy: {{mac: 1pJ, source: {source}}}"
        file.write_text(preset_text("edge_int8").replace("reduction_unroll: window", energy))
        machine = load_accelerator(file)
        assert machine.core.array.energy_source == source
        hashes.add(machine.sha256)
    assert len(hashes) == 1


def leaf_values() -> list[str]:
    """One other legal value for each leaf that edge_int8 can take."""
    return [
        "name=other",
        "clock.frequency=200MHz",
        "dram.name=other",
        "dram.bandwidth=16B/cycle",
        "dram.latency=41cycles",
        "dram.beat=16B",
        "dram.burst=256B",
        "dram.energy.standard=HBM3",
        "dram.energy.per_byte=1pJ",
        "cores.name=other",
        "core.rows=16",
        "core.cols=16",
        "dataflows=[ws]",
        "input_format=uint8",
        "weight_format=int4",
        "accumulator_format=int24",
        "reduction_unroll=channel",
        "array.energy.mac=1pJ",
        "core.input.half=64KiB",
        "core.input.read_width=64B/cycle",
        "core.input.write_width=64B/cycle",
        "lanes=16",
        "vector.latency=9cycles",
        "vector.simple=2cycles",
        "vector.special=5cycles",
        "operand_half=8KiB",
        "output_half=8KiB",
        "outstanding=2",
        "issue=2cycles",
        "energy.node=22nm",
    ]


@pytest.mark.parametrize("override", leaf_values())
def test_every_key_changes_the_machine(override: str) -> None:
    extra = ["energy.allow_default=true"]
    assert load_accelerator("edge_int8", [override, *extra]).sha256 != load_accelerator("edge_int8", extra).sha256


def schema_allows(root: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    """Check `value` against the few JSON Schema words that the description uses."""
    if "$ref" in schema:
        return schema_allows(root, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value)
    if "anyOf" in schema:
        return any(schema_allows(root, option, value) for option in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema["type"]
    if kind == "object":
        properties, rest = schema.get("properties", {}), schema["additionalProperties"]
        return (
            isinstance(value, dict)
            and set(schema.get("required", ())) <= set(value)
            and all(
                schema_allows(root, properties[key], item)
                if key in properties
                else isinstance(rest, dict) and schema_allows(root, rest, item)
                for key, item in value.items()
            )
        )
    if kind == "array":
        return isinstance(value, list) and all(schema_allows(root, schema["items"], item) for item in value)
    if kind == "string":
        return isinstance(value, str) and re.search(schema.get("pattern", ""), value) is not None
    if kind == "integer":
        return type(value) is int and schema["minimum"] <= value <= schema["maximum"]
    return value is None if kind == "null" else type(value) is bool


def test_the_schema_is_json_and_accepts_the_presets() -> None:
    schema = json.loads(json.dumps(description_schema()))
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"name", "summary", "source", "clocks", "dram", "cores", "energy"}
    for name in PRESETS:
        tree = parse_yaml(preset_text(name), name).tree
        assert schema_allows(schema, schema, tree)
        tree["cores"][0]["array"]["rows"] = "32"
        assert not schema_allows(schema, schema, tree)


def test_reading_is_lazy_about_pydantic() -> None:
    code = (
        "import sys, hw_models, hw_models.accelerator, hw_models.array_timing, hw_models.description, "
        "hw_models.energy, hw_models.scalesim, hw_models.systolic; sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("edge_int9", "did you mean 'edge_int8'"),
        ("nothing_like_it", "use one of edge_ddr4, edge_int8"),
        ("missing.yaml", "cannot be read"),
        ("some/dir", "suffix is '', bound is .yaml"),
        ("scale.cfg", "SCALE-Sim configuration, which goes with a topology"),
        ("some/file.json", "suffix is '.json', bound is .yaml"),
    ],
)
def test_names_that_are_neither_preset_nor_file(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_accelerator(name)

"""The YAML edge of clusters: presets, files, overrides.

A cluster names its cores by the preset or file each is `like`, with overrides; the parts are then read and checked by
`hw_models.description`. A single-core description is a cluster of one core with the shared scratchpad of `DEFAULTS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

from hw_models.accelerator import Accelerator, DramChannel
from hw_models.clock import own_clock
from hw_models.cluster import Cluster, SharedScratchpad
from hw_models.description import cluster_names, load_accelerator, preset_names
from hw_models.energy import load_energy_table
from hw_models.noc import NetworkOnChip
from hw_models.units import parse_bytes, parse_latency, parse_port_bytes_per_cycle
from hw_models.yaml_edge import YamlDocument, parse_yaml, read_yaml
from workloads.errors import InputError
from workloads.nearest import nearest

DEFAULTS = {"capacity": "1MiB", "port": "64B/cycle", "latency": "4cycles"}
"""Shared scratchpad of a single-core description: own choice, twice the words of a 32-byte DRAM bus."""
_KEYS = {
    "": ("name", "summary", "source", "sources", "cores", "shared", "dram", "outstanding", "noc"),
    "cores": ("name", "like", "set"),
    "dram": ("like", "set"),
    "shared": ("capacity", "port", "latency"),
    "noc": ("width", "delay", "burst", "arbitration", "multicast"),
}


def list_clusters() -> tuple[tuple[str, str, str], ...]:
    """Return name, summary and source of every shipped cluster."""
    trees = [_preset(name).tree for name in cluster_names()]
    return tuple((tree["name"], tree["summary"], tree["source"]) for tree in trees)


def is_cluster(name_or_path: str) -> bool:
    """Tell whether `name_or_path` names a shipped cluster or a file that describes one."""
    if name_or_path in cluster_names():
        return True
    if name_or_path in preset_names() or Path(name_or_path).suffix.lower() not in (".yaml", ".yml"):
        return False
    tree = read_yaml(name_or_path).tree
    return isinstance(tree, dict) and "shared" in tree


def load_cluster(name_or_path: str, overrides: Sequence[str] = ()) -> Cluster:
    """Return a shipped cluster, one from a file, or a single-core description as a cluster of one core.

    Parameters
    ----------
    overrides : sequence of str
        ``shared.KEY=VALUE``, ``noc.KEY=VALUE``, ``outstanding=N``, ``dram.PATH=VALUE`` (the channel),
        ``CORE.PATH=VALUE`` (one core by name) or ``cores.PATH=VALUE`` (every core); PATH as in `load_accelerator`. For
        a single-core description everything but ``shared.``, ``noc.`` and ``outstanding`` is an override of it.

    Raises
    ------
    InputError
        If a key, a name or a value is wrong.

    Examples
    --------
    >>> machine = load_cluster("quad_edge", ["shared.capacity=512KiB"])
    >>> len(machine.cores), machine.shared.capacity_bytes
    (4, 524288)
    """
    if name_or_path in cluster_names():
        return _build(_preset(name_or_path), overrides)
    if is_cluster(name_or_path):
        return _build(read_yaml(name_or_path), overrides)
    own = [o for o in overrides if o.partition("=")[0].strip().partition(".")[0] in ("shared", "outstanding", "noc")]
    rest = [o for o in overrides if o not in own]
    alone = load_accelerator(name_or_path, rest)
    tree = {
        "name": alone.name,
        "summary": f"{alone.summary}; behind a shared scratchpad",
        "source": f"hw_models preset {alone.name}; shared scratchpad: own choice",
        "cores": [{"name": alone.core.name, "like": name_or_path, "set": rest}],
        "dram": {"like": name_or_path, "set": rest},
        "shared": dict(DEFAULTS),
    }
    return _build(YamlDocument(f"{name_or_path} as a cluster", tree, {}), own)


def _preset(name: str) -> YamlDocument:
    text = (resources.files("hw_models.clusters") / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_yaml(text, f"{name}.yaml")


def _build(document: YamlDocument, overrides: Sequence[str]) -> Cluster:
    origin = document.origin
    tree = document.tree
    if not isinstance(tree, dict):
        raise InputError(f"{origin}: is not a mapping; start with name: and see docs/network_mapping.md")
    _check_keys(origin, tree)
    tree = _changed(origin, tree, overrides)
    _check_keys(origin, tree)
    channel = load_accelerator(tree["dram"]["like"], tree["dram"].get("set", []))
    clock_mhz = load_accelerator(tree["cores"][0]["like"], tree["cores"][0].get("set", [])).clock_mhz
    shared_tree = tree["shared"]
    try:
        port = parse_port_bytes_per_cycle(shared_tree["port"])
        capacity = parse_bytes(shared_tree["capacity"])
        latency = parse_latency(shared_tree["latency"]).cycles(clock_mhz)
    except InputError as error:
        raise InputError(f"{origin}: shared: {error}") from None
    noc = _noc(origin, tree["noc"], clock_mhz) if tree.get("noc") is not None else None
    table = load_energy_table("published")
    read, write = (
        table.sram_per_byte(max(1, capacity), access, channel.technology_nm, allow_default=True)
        for access in ("read", "write")
    )
    shared = SharedScratchpad(capacity, port, latency, read.pj, write.pj, read.source)
    cores = tuple(_core(origin, node, shared, noc) for node in tree["cores"])
    outstanding = tree.get("outstanding", channel.core.dma.outstanding)
    if not isinstance(outstanding, int):
        raise InputError(f"{origin}: outstanding is {outstanding!r}, an integer is needed; correct it")
    sources: tuple[tuple[str, str], ...] = (("cluster", tree["source"]), ("shared.energy", read.source))
    sources += tuple((f"{core.core.name}.{path}", text) for core in cores for path, text in core.sources)
    dram = _beside(channel.dram, channel.clock_mhz, clock_mhz)
    return Cluster(tree["name"], tree["summary"], cores, shared, dram, outstanding, sources, noc)


def _beside(dram: DramChannel, own_mhz: Fraction, clock_mhz: Fraction) -> DramChannel:
    """Return `dram`, described beside a reference clock of `own_mhz`, beside cores of `clock_mhz`: the same channel."""
    if own_mhz == clock_mhz:
        return dram
    rate = dram.bytes_per_cycle * own_mhz / clock_mhz
    if dram.device is not None:  # its times are of its own clock already
        return replace(dram, bytes_per_cycle=rate)
    name, mhz, own_cycles = "dram", own_mhz, dram.latency_cycles
    if dram.clock is not None:
        name, mhz, own_cycles = dram.clock.name, dram.clock.mhz, dram.own_latency_cycles
    if mhz == clock_mhz:
        return replace(dram, bytes_per_cycle=rate, latency_cycles=own_cycles, clock=None, own_latency_cycles=0)
    clock = own_clock(name, mhz, clock_mhz)
    return replace(
        dram, bytes_per_cycle=rate, latency_cycles=clock.least(own_cycles), clock=clock, own_latency_cycles=own_cycles
    )


def _noc(origin: str, node: Mapping[str, Any], clock_mhz: Fraction) -> NetworkOnChip:
    """Return the network on chip; a burst is four words where none is stated."""
    multicast = node.get("multicast", False)
    if multicast not in (True, False, "true", "false"):
        raise InputError(f"{origin}: noc: multicast is {multicast!r}, bound is true or false; choose one")
    try:
        width = parse_port_bytes_per_cycle(node["width"])
        return NetworkOnChip(
            *(width, parse_latency(node["delay"]).cycles(clock_mhz)),
            parse_bytes(node["burst"]) if "burst" in node else 4 * width,
            node.get("arbitration", "round_robin"),
            multicast in (True, "true"),
        )
    except InputError as error:
        raise InputError(f"{origin}: {str(error) if str(error).startswith('noc') else f'noc: {error}'}") from None


def _core(origin: str, node: Mapping[str, Any], shared: SharedScratchpad, noc: NetworkOnChip | None) -> Accelerator:
    """Return a core whose memory is its port to the shared scratchpad, no faster than the network on chip."""
    width = shared.port_bytes_per_cycle if noc is None else min(shared.port_bytes_per_cycle, noc.bytes_per_cycle)
    latency = shared.latency_cycles + (0 if noc is None else noc.latency_cycles)
    plain = load_accelerator(node["like"], node.get("set", []))
    clock = plain.clock_mhz
    port = [
        f"dram.bandwidth={float(width * clock / 1000):g}GB/s",
        f"dram.latency={latency}cycles",
        f"dram.beat={width}B",
        f"dram.burst={width * 16}B",
    ]
    seen = load_accelerator(node["like"], [*node.get("set", []), *port])
    if seen.dram.bytes_per_cycle != width:
        raise InputError(
            f"{origin}: core '{node['name']}': a port of {width} bytes per cycle is no bandwidth "
            f"at {float(clock):g} MHz; choose another clock or port"
        )
    # one figure stands for both directions of the port: the greater
    energy = max(shared.read_pj_per_byte, shared.write_pj_per_byte)
    memory = replace(
        seen.dram, name="shared", energy_pj_per_byte=energy, energy_source=shared.energy_source,
        latency_cycles=latency, clock=None, own_latency_cycles=0,
    )  # fmt: skip
    return replace(seen, core=replace(seen.core, name=node["name"]), dram=memory, sources=plain.sources)


def _check_keys(origin: str, tree: Mapping[str, Any]) -> None:
    """Raise on every unknown or missing key."""
    wrong = []
    nodes: list[tuple[str, Any]] = [("", tree), ("shared", tree.get("shared")), ("dram", tree.get("dram"))]
    if tree.get("noc") is not None:
        nodes.append(("noc", tree["noc"]))
    cores = tree.get("cores")
    nodes += [("cores", node) for node in (cores if isinstance(cores, list) else [None])]
    for place, node in nodes:
        known, label = _KEYS[place], f"{place}: " if place else ""
        if not isinstance(node, dict):
            wrong.append(f"{label}is missing or no mapping; give {', '.join(known)}")
            continue
        wrong += [f"{label}key '{key}' is unknown{nearest(key, known)}" for key in node if key not in known]
        optional = ("set", "sources", "outstanding", "noc", "burst", "arbitration", "multicast")
        wrong += [f"{label}key '{key}' is missing; add it" for key in known if key not in node and key not in optional]
        wrong += [
            f"{label}{key} is {node[key]!r}, a text is needed; correct it"
            for key in ("name", "summary", "source", "like")
            if key in node and key in known and not (isinstance(node[key], str) and node[key])
        ]
        settings = node.get("set", []) if "set" in known else []
        if not isinstance(settings, list) or not all(isinstance(item, str) for item in settings):
            wrong.append(f"{label}set is {settings!r}, a list of PATH=VALUE is needed; correct it")
    if wrong:
        head = f"{origin}: {wrong[0]}" if len(wrong) == 1 else f"{origin}: {len(wrong)} mistakes"
        raise InputError("\n  ".join([head, *(wrong if len(wrong) > 1 else ())]))


def _changed(origin: str, tree: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of `tree` with `overrides` in it."""
    made: dict[str, Any] = {
        **tree,
        "shared": dict(tree["shared"]),
        "noc": dict(tree["noc"]) if tree.get("noc") is not None else None,
        "dram": {**tree["dram"], "set": list(tree["dram"].get("set", []))},
        "cores": [{**node, "set": list(node.get("set", []))} for node in tree["cores"]],
    }
    names = [node["name"] for node in made["cores"]]
    for override in overrides:
        path, sign, value = override.partition("=")
        head, _, rest = path.strip().partition(".")
        if not sign:
            raise InputError(f"--set {override}: there is no '='; write PATH=VALUE")
        if head == "shared" and rest in _KEYS["shared"]:
            made["shared"][rest] = value.strip()
        elif head == "noc" and rest in _KEYS["noc"]:
            made["noc"] = {**(made["noc"] or {}), rest: value.strip()}
        elif head == "outstanding" and value.strip().isdigit():
            made["outstanding"] = int(value)
        elif head == "dram":
            made["dram"]["set"].append(override)
        elif head in ("cores", *names) and rest:
            for node in made["cores"]:
                if head in ("cores", node["name"]):
                    node["set"].append(f"{rest}={value}")
        else:
            places = ["shared", "outstanding", "noc", "dram", "cores", *names]
            raise InputError(
                f"--set {override}: '{path}' is no part of {origin}{nearest(head, places)}; start with one of "
                f"{', '.join(places)}, and after shared one of {', '.join(_KEYS['shared'])}"
            )
    return made

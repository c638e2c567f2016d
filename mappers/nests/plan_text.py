"""A mapped network as one YAML file (schema ``tilewright.nestplan/1``): hierarchy, layers, nests, costs, certificates.

The file holds all that is needed to cost it again, so that a recheck needs nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from hw_models.hierarchy.reader import dump_hierarchy, read_hierarchy
from hw_models.hierarchy.tree import MemoryTree
from hw_models.yaml_edge import YamlDocument, parse_yaml, read_yaml
from mappers.nests.counts import COUNTINGS, Counting
from mappers.nests.mapping import NestMapping
from mappers.nests.mapping_yaml import nest_lines, read_nodes
from mappers.nests.network import MappedLayer
from mappers.nests.problem import NestProblem, ProblemTensor
from mappers.nests.search import FoundNest
from workloads.errors import InputError
from workloads.loop_nest import Axis

SCHEMA = "tilewright.nestplan/1"


@dataclass(frozen=True)
class PlannedNest:
    """One problem of a plan with the costs that the file states."""

    problem: NestProblem
    mapping: NestMapping
    energy_pj: Fraction
    latency_cycles: int
    layers: tuple[str, ...]


@dataclass(frozen=True)
class NestPlan:
    """A plan read from a file."""

    tree: MemoryTree
    counting: Counting
    nests: tuple[PlannedNest, ...]


def dump_plan(mapped: Sequence[MappedLayer], tree: MemoryTree, counting: Counting, objective: str) -> str:
    """Return the text of a plan; equal plans give equal text."""
    lines = [f"schema: {SCHEMA}", f"counting: {counting}", f"objective: {json.dumps(objective)}", "hierarchy: |"]
    lines += [f"  {line}" for line in dump_hierarchy(tree).splitlines()]
    first: dict[NestProblem, FoundNest] = {}
    users: dict[NestProblem, list[str]] = {}
    refused: list[str] = []
    for layer in mapped:
        for problem, found in zip(layer.problems, layer.found, strict=True):
            if isinstance(found, FoundNest):
                first.setdefault(problem, found)
                users.setdefault(problem, []).append(layer.name)
            else:
                refused.append(f"  {json.dumps(layer.name)}: {json.dumps(str(found))}")
    lines.append("nests:" if first else "nests: []")
    for problem, found in first.items():
        lines += _nest(problem, found, users[problem])
    lines += ["infeasible:", *refused] if refused else ["infeasible: {}"]
    return "\n".join(lines) + "\n"


def _nest(problem: NestProblem, found: FoundNest, users: list[str]) -> list[str]:
    dims = ", ".join(f"{dim}: {size}" for dim, size in problem.dims)
    lines = [f"  - layers: {json.dumps(users)}", f"    dims: {{{dims}}}"]
    lines.append(f"    fetch_padding: {str(problem.fetch_padding).lower()}")
    lines.append("    tensors:")
    for tensor in problem.tensors:
        lines.append(f"      - role: {tensor.role}")
        lines.append(f"        output: {str(tensor.output).lower()}")
        lines.append(f"        bits: [{tensor.bits}, {tensor.final_bits}]")
        lines.append(f'        sparse: ["{tensor.density}", "{tensor.index_bits}"]')
        axes = []
        for axis in tensor.axes:
            terms = ", ".join(f"{dim}: {c}" for c, dim in axis.terms)
            axes.append(f"{{terms: {{{terms}}}, size: {axis.size}, offset: {axis.offset}}}")
        lines.append(f"        axes: [{', '.join(axes)}]")
    lines += ["    nest:", *(f"      {line}" for line in nest_lines(found.mapping))]
    cost, proof = found.cost, found.certificate
    lines.append(f'    energy_pj: "{cost.energy_pj}"')
    lines.append(f"    latency_cycles: {cost.latency_cycles}")
    lines.append("    certificate:")
    for key in (
        "map_space",
        "objective",
        "value",
        "bound",
        "mappings",
        "unrollings",
        "distinct",
        "searched",
        "partial",
    ):
        lines.append(f"      {key}: {_plain(getattr(proof, key))}")
    lines += [f"      by_bound: {proof.by_bound}", f"      by_dominance: {proof.by_dominance}"]
    lines.append(f"      proven_optimal: {str(proof.proven_optimal).lower()}")
    return lines


def _plain(value: object) -> str:
    if isinstance(value, int) and value >= 10**30:
        return f'"{value}"'
    return json.dumps(value)


def read_plan(path: str | Path) -> NestPlan:
    """Return the plan in file `path`.

    Raises
    ------
    InputError
        If it is not such a plan; the message says where.
    """
    document = read_yaml(path)
    tree = document.tree
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        raise InputError(f"{path}: is not a plan of the nest mapper; its first line is schema: {SCHEMA}")
    if tree.get("counting") not in COUNTINGS:
        raise InputError(f"{path}: counting is {tree.get('counting')!r}, bound is {', '.join(COUNTINGS)}; correct it")
    try:
        machine = read_hierarchy(parse_yaml(tree["hierarchy"], f"{path} (hierarchy)"))
        nests = tuple(_read(document, at, item) for at, item in enumerate(tree["nests"]))
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise InputError(f"{path}: is damaged ({type(error).__name__}: {error}); map the workload again") from None
    return NestPlan(machine, cast(Counting, tree["counting"]), nests)


def _read(document: YamlDocument, at: int, item: dict[str, Any]) -> PlannedNest:
    tensors = []
    for row in item["tensors"]:
        axes = tuple(
            Axis(tuple((c, dim) for dim, c in axis["terms"].items()), axis["size"], axis["offset"])
            for axis in row["axes"]
        )
        density, index = (Fraction(value) for value in row["sparse"])
        tensors.append(ProblemTensor(row["role"], axes, row["output"], row["bits"][0], row["bits"][1], density, index))
    problem = NestProblem(tuple(item["dims"].items()), tuple(tensors), item["fetch_padding"])
    mapping = NestMapping(read_nodes(document, ("nests", at, "nest"), item["nest"]))
    return PlannedNest(
        problem, mapping, Fraction(item["energy_pj"]), int(item["latency_cycles"]), tuple(item["layers"])
    )

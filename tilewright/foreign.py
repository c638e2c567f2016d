"""Machines, problems and mappings in other tools' files: what format a file has, and the jobs that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hw_models.hierarchy.tree import MemoryTree
from hw_models.importers.source import open_document
from hw_models.importers.zigzag_hardware import ZigZagHardware
from mappers.nests.mapping import NestMapping
from mappers.nests.problem import NestProblem
from tilewright.sources import existing_file, load_workload
from workloads.errors import InputError
from workloads.importers.cursor import Cursor
from workloads.importers.records import ForeignProblem
from workloads.mac_layers import MacLayer

ArchFormat = Literal["zigzag", "timeloop", "accelforge"]
ARCH_FORMATS: tuple[ArchFormat, ...] = ("zigzag", "timeloop", "accelforge")
_MARKS: dict[ArchFormat, tuple[str, ...]] = {
    "zigzag": ("memories", "operational_array"),
    "timeloop": ("architecture",),
    "accelforge": ("arch",),
}
_GENERAL = {"I": "input", "W": "weight", "O": "output"}


@dataclass(frozen=True)
class ForeignJob:
    """One layer on one machine.

    Parameters
    ----------
    counting : {"timeloop", "zigzag"}
        Rules of the tool whose machine it is; AccelForge's are close to Timeloop's.
    given : NestMapping or None
        A mapping that came with the files, to be costed instead of searched.
    reported : ReportedJob or None
        What to search by the figures that ZigZag itself reports.
    """

    name: str
    problem: NestProblem
    tree: MemoryTree
    counting: Literal["timeloop", "zigzag"]
    given: NestMapping | None = None
    reported: ReportedJob | None = None


@dataclass(frozen=True)
class ReportedJob:
    """A layer on a ZigZag machine as `mappers.zigzag_search` takes it; without an unrolling, several are looked at."""

    hardware: ZigZagHardware
    layer: ForeignProblem
    links: tuple[tuple[str, str], ...]
    unrolling: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


@dataclass(frozen=True)
class ForeignJobs:
    """The jobs of a command and what the readers had to say."""

    jobs: tuple[ForeignJob, ...]
    notes: tuple[str, ...]
    priced: bool
    """Whether the machine states energies."""


def arch_format(name: str, given: str | None = None) -> ArchFormat | None:
    """Return the foreign format of the machine file `name`, or None if it is one of the project's own.

    Parameters
    ----------
    given : str, optional
        Format named by the user; the file is then not looked at.

    Raises
    ------
    InputError
        If `given` is no format.
    """
    if given is not None:
        for form in ARCH_FORMATS:
            if given == form:
                return form
        raise InputError(f"--arch-format '{given}': bound is {', '.join(ARCH_FORMATS)}; choose one")
    path = Path(name)
    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        return None
    lines = path.read_bytes()[: 1 << 20].decode("utf-8", "replace").splitlines()
    keys = {line.partition(":")[0].strip() for line in lines if line[:1].isalpha()}
    for form, marks in _MARKS.items():
        if keys.issuperset(marks) and "schema" not in keys:
            return form
    return None


def foreign_jobs(
    workload: str, arch: str, form: ArchFormat, mapping: str | None, energies: str | None, dims: Mapping[str, int]
) -> ForeignJobs:
    """Return the jobs of `workload` on the machine file `arch`.

    Parameters
    ----------
    workload : str
        A file of the same tool, a built-in network or an ONNX model.
    mapping : str, optional
        ZigZag: unrollings of the array. Timeloop: a whole mapping, costed instead of searched.
    energies : str, optional
        Timeloop's energy reference table.

    Raises
    ------
    InputError
        If a file cannot be held; every mistake of it is named.
    """
    if energies is not None and form != "timeloop":
        raise InputError(f"--energies '{energies}': is for Timeloop machines; leave it out")
    if mapping is not None and form == "accelforge":
        raise InputError(f"--mapping '{mapping}': is for ZigZag and Timeloop machines; leave it out")
    document = open_document(existing_file(arch, "machine"))
    top = Cursor.of(document)
    reader = {"zigzag": _zigzag, "timeloop": _timeloop, "accelforge": _accelforge}[form]
    jobs, priced = reader(top, _layers(workload, form, dims), mapping, energies)
    if not jobs:
        raise InputError(f"workload '{workload}': has no MAC layer; there is nothing to map")
    return ForeignJobs(tuple(jobs), document.notes, priced)


def _layers(workload: str, form: ArchFormat, dims: Mapping[str, int]) -> list[Any]:
    """Return the layers of a workload file of that tool, or of a network."""
    if Path(workload).suffix.lower() in (".yaml", ".yml"):
        top = Cursor.of(open_document(existing_file(workload, "workload")))
        if form == "zigzag":
            from workloads.importers.zigzag_layers import read_layers

            return list(read_layers(top))
        if form == "timeloop":
            from workloads.importers.timeloop_problem import read_problem

            return [read_problem(top)]
        from workloads.importers.accelforge_einsums import read_einsums

        return list(read_einsums(top))
    from mappers.exchange.problems import zigzag_layer

    network = load_workload(workload, dims).network
    return [zigzag_layer(layer) for layer in network.layers if isinstance(layer, MacLayer)]


def _zigzag(top: Cursor, layers: list[Any], mapping: str | None, energies: str | None) -> tuple[list[ForeignJob], bool]:
    from hw_models.importers.zigzag_hardware import read_hardware
    from hw_models.importers.zigzag_tree import DEFAULT_LINKS, zigzag_tree
    from mappers.exchange.problems import nest_problem
    from mappers.exchange.zigzag_mapping import entry_for, read_mapping

    hardware = read_hardware(top)
    if mapping is None:
        tree, links = zigzag_tree(hardware), tuple(DEFAULT_LINKS.items())
        return [
            ForeignJob(layer.name, nest_problem(layer), tree, "zigzag", None, ReportedJob(hardware, layer, links, ()))
            for layer in layers
        ], True
    entries = read_mapping(Cursor.of(open_document(existing_file(mapping, "mapping"))))
    jobs = []
    for layer in layers:
        entry = entry_for(entries, layer.name, layer.kind)
        unrolling = entry.unrolled(dict(layer.dims), dict(hardware.axes)) if entry.unrolling else None
        tree = zigzag_tree(hardware, dict(entry.links), unrolling)
        reported = ReportedJob(hardware, layer, entry.links, tuple((unrolling or {}).items()))
        jobs.append(ForeignJob(layer.name, nest_problem(layer), tree, "zigzag", None, reported))
    return jobs, True


def _timeloop(
    top: Cursor, layers: list[Any], mapping: str | None, energies: str | None
) -> tuple[list[ForeignJob], bool]:
    from hw_models.importers.timeloop_arch import read_arch
    from hw_models.importers.timeloop_tree import read_energy_table, timeloop_tree
    from mappers.exchange.problems import nest_problem
    from mappers.exchange.timeloop_mapping import read_timeloop_mapping

    arch = read_arch(top)
    table = None
    if energies is not None:
        table = read_energy_table(Cursor.of(open_document(existing_file(energies, "energy table"))))
    word = next(node.word_bits for node in arch.nodes if not node.compute)
    jobs = []
    for layer in layers:
        problem = nest_problem(_in_words(layer, word), word)
        tree = timeloop_tree(arch, [tensor.role for tensor in problem.tensors], problem.sizes, table)
        given = None
        if mapping is not None:
            given = read_timeloop_mapping(Cursor.of(open_document(existing_file(mapping, "mapping"))), arch, problem)
        jobs.append(ForeignJob(layer.name, problem, tree, "timeloop", given))
    return jobs, table is not None


def _in_words(layer: ForeignProblem, word: int) -> ForeignProblem:
    """Return `layer` with every element one word of the machine, as Timeloop counts."""
    from dataclasses import replace

    return replace(layer, tensors=tuple(replace(t, bits=word, partial_bits=word) for t in layer.tensors))


def _accelforge(
    top: Cursor, layers: list[Any], mapping: str | None, energies: str | None
) -> tuple[list[ForeignJob], bool]:
    from hw_models.importers.accelforge_arch import read_accelforge
    from hw_models.importers.accelforge_expressions import EinsumView
    from mappers.exchange.problems import nest_problem

    jobs = []
    for item in layers:
        layer = item if isinstance(item, ForeignProblem) else item.layer
        renames = {general: role for role, general in _GENERAL.items()} if layer is item else dict(item.renames)
        view = EinsumView(
            {tensor.name: tensor.bits or 8 for tensor in layer.tensors},
            renames,
            {tensor.name: tensor.relevant for tensor in layer.tensors},
            layer.output.name,
        )
        tree = read_accelforge(Cursor.of(top.document), view)
        jobs.append(ForeignJob(layer.name, nest_problem(layer), tree, "timeloop"))
    return jobs, True

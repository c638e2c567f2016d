"""Runs ZigZag on files of its own formats and writes what it decided and counted, one JSON object per layer.

Started by the Python of ZigZag's environment (`setup_zigzag.sh`), not by the project's:

    ENV/bin/python benchmarks/peers/zigzag_run.py MACHINE MAPPING WORKLOAD -o FILE [--opt EDP] [--lpf 6]

A bare name means the file that the installed package ships (``tpu_like``, ``resnet18``). CPU seconds are those of this
process from the call of the tool to its return, imports left out; the seconds of each layer's search stand beside it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import os
import tempfile
import time
from pathlib import Path

import zigzag
from zigzag.api import get_hardware_performance_zigzag
from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage

INPUTS = Path(zigzag.__file__).parent / "inputs"
DIRECTIONS = ("rd_out_to_low", "wr_in_by_low", "rd_out_to_high", "wr_in_by_high")


def shipped(name: str, kind: str, suffixes: tuple[str, ...]) -> str:
    """Return `name` if it is a file, else the file of the package that it names."""
    if Path(name).exists():
        return name
    for suffix in suffixes:
        file = INPUTS / kind / f"{name}{suffix}"
        if file.exists():
            return str(file)
    raise SystemExit(f"{kind} '{name}': neither a file nor one of {INPUTS / kind}")


def four(values) -> dict[str, float]:
    """Return the four directions of a count by name."""
    from zigzag.hardware.architecture.memory_port import DataDirection

    return {name: values.get(getattr(DataDirection, name.upper())) for name in DIRECTIONS}


def loops(levels) -> list[list[list]]:
    """Return loops per memory level, innermost first."""
    return [[[str(dim), size] for dim, size in level] for level in levels]


def layer_record(cme, cpu_seconds: float) -> dict:
    """Return what the cost model says of one layer."""
    layer, spatial = cme.layer, cme.layer.spatial_mapping
    return {
        "name": layer.name,
        "type": layer.type,
        "equation": layer.equation.data,
        "loop_sizes": {str(dim): size for dim, size in layer.layer_dim_sizes.items()},
        "dimension_relations": [str(relation) for relation in layer.dimension_relations],
        "pr_sizes": {str(dim): int(size) for dim, size in layer.pr_layer_dim_sizes.items()},
        "precision": {str(op): int(bits) for op, bits in layer.operand_precision.data.items()},
        "memory_operand_links": {str(a): str(b) for a, b in layer.memory_operand_links.data.items()},
        "user_spatial": {str(axis): [[str(dim), size] for dim, size in m.items()] for axis, m in spatial.items()},
        "spatial": {str(op): loops(levels) for op, levels in cme.spatial_mapping.mapping_dict_origin.items()},
        "spatial_int": {str(op): loops(levels) for op, levels in cme.spatial_mapping_int.mapping_dict_origin.items()},
        "temporal": {str(op): loops(levels) for op, levels in cme.temporal_mapping.mapping_dic_origin.items()},
        "stationary": {str(op): loops(levels) for op, levels in cme.temporal_mapping.mapping_dic_stationary.items()},
        "word_accesses": {str(op): [four(x) for x in levels] for op, levels in cme.memory_word_access.items()},
        "energy_per_level_pj": {str(op): list(levels) for op, levels in cme.mem_energy_breakdown.items()},
        "mac_energy_pj": cme.mac_energy,
        "energy_pj": cme.energy_total,
        "latency": {
            "ideal": cme.ideal_cycle,
            "ideal_temporal": cme.ideal_temporal_cycle,
            "stall": cme.stall_slack_comb,
            "onloading": cme.data_onloading_cycle,
            "offloading": cme.data_offloading_cycle,
            "drain": cme.systolic_drain_cycle,
            "total": cme.latency_total2,
        },
        "cpu_seconds": cpu_seconds,
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machine")
    parser.add_argument("mapping")
    parser.add_argument("workload")
    parser.add_argument("--opt", default="EDP", choices=("energy", "latency", "EDP"))
    parser.add_argument("--lpf", type=int, default=6)
    parser.add_argument("-o", "--output", required=True)
    given = parser.parse_args()
    machine = shipped(given.machine, "hardware", (".yaml",))
    mapping = shipped(given.mapping, "mapping", (".yaml",))
    workload = shipped(given.workload, "workload", (".onnx", ".yaml"))
    spent: list[float] = []
    inner = SpatialMappingGeneratorStage.run

    def timed(self):
        begin = time.process_time()
        results = list(inner(self))
        spent.append(time.process_time() - begin)
        yield from results

    SpatialMappingGeneratorStage.run = timed
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        energy, latency, cmes = get_hardware_performance_zigzag(
            workload,
            machine,
            mapping,
            opt=given.opt,
            lpf_limit=given.lpf,
            dump_folder=folder,
            loma_show_progress_bar=False,
        )
        cpu = time.process_time() - begin
    record = {
        "tool": f"zigzag-dse {importlib.metadata.version('zigzag-dse')}",
        "machine": Path(machine).stem,
        "mapping": Path(mapping).stem,
        "workload": Path(workload).stem,
        "opt": given.opt,
        "lpf_limit": given.lpf,
        "energy_pj": energy,
        "latency_cycles": latency,
        "cpu_seconds": cpu,
        "search_cpu_seconds": sum(spent),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "layers": [layer_record(cme, seconds) for (cme, _), seconds in zip(cmes[0][1], spent, strict=True)],
    }
    Path(given.output).write_text(json.dumps(record, indent=None) + "\n")
    print(
        f"{record['machine']} {record['workload']} {given.opt}: {energy:.6g} pJ, {latency:.6g} cycles, {cpu:.1f} CPU s"
    )


if __name__ == "__main__":
    main()

"""Runs AccelForge's mapper on one layer and writes energy, latency, action counts and CPU seconds as JSON.

Started by the Python of AccelForge's environment (`setup_accelforge.sh`), not by the project's:

    ENV/bin/python benchmarks/peers/accelforge_run.py ARCH WORKLOAD.yaml -o FILE [--metrics EDP]

ARCH is a file or the name of one that the installed package ships (``nvdla``, ``simba``, ``eyeriss``). One worker
process, so that CPU seconds are those of this process; the import is timed apart. The pictures that it draws beside its
result need Graphviz and are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import resource
import sys
import time
from pathlib import Path

BEGIN = time.process_time()
import accelforge as af  # noqa: E402
import accelforge.mapper.FFM.mappings as mappings_module  # noqa: E402

IMPORT_SECONDS = time.process_time() - BEGIN
mappings_module.Mappings.render = lambda self, **_: ""


def components(spec) -> list[dict]:
    """Return what AccelForge's own component models resolved each node to."""
    found = []
    for node in spec.arch.get_nodes_of_type(af.arch.Leaf) if hasattr(spec.arch, "get_nodes_of_type") else ():
        entry = {"kind": type(node).__name__, "name": node.name}
        for key in ("size", "leak_power", "area", "total_latency", "total_area", "total_leak_power"):
            value = getattr(node, key, None)
            entry[key] = value if isinstance(value, int | float | str) else str(value)
        entry["spatial"] = [
            {"name": s.name, "fanout": s.fanout, "reuse": str(s.reuse), "min_usage": s.min_usage}
            for s in getattr(node, "spatial", [])
        ]
        entry["actions"] = [
            {
                key: getattr(action, key, None)
                for key in ("name", "energy", "throughput", "latency", "bits_per_action")
                if isinstance(getattr(action, key, None), int | float | str)
            }
            for action in getattr(node, "actions", [])
        ]
        found.append(entry)
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arch")
    parser.add_argument("workload")
    parser.add_argument("--metrics", default="EDP", choices=("EDP", "ENERGY", "LATENCY"))
    parser.add_argument("-o", "--output", required=True)
    given = parser.parse_args()
    arch = Path(given.arch)
    if not arch.exists():
        arch = Path(af.__file__).parents[1] / "examples" / "arches" / f"{given.arch}.yaml"
    af.set_n_parallel_jobs(1)
    spec = af.Spec.from_yaml(arch, given.workload)
    metrics = af.mapper.Metrics
    spec.mapper.metrics = (
        metrics.ENERGY | metrics.LATENCY if given.metrics == "EDP" else getattr(metrics, given.metrics)
    )
    begin = time.process_time()
    os.chdir(Path(given.output).resolve().parent)
    with contextlib.redirect_stdout(sys.stderr):
        result = spec.map_workload_to_arch(print_progress=False)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - begin + children.ru_utime + children.ru_stime
    rows = [
        {key: (value if isinstance(value, int | float) else str(value)) for key, value in row.items()}
        for row in result.data.to_dict("records")
    ]
    best = min(rows, key=lambda row: row["Total<SEP>energy"] * row["Total<SEP>latency"])
    evaluated = next(iter(result.evaluated_specs.values())) if result.evaluated_specs else spec
    record = {
        "tool": f"accelforge {importlib.metadata.version('accelforge')}",
        "arch": arch.stem,
        "workload": Path(given.workload).stem,
        "metrics": given.metrics,
        "energy_j": best["Total<SEP>energy"],
        "latency_s": best["Total<SEP>latency"],
        "edp_js": best["Total<SEP>energy"] * best["Total<SEP>latency"],
        "pareto_points": len(rows),
        "cpu_seconds": cpu,
        "import_cpu_seconds": IMPORT_SECONDS,
        "max_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "actions": {key.replace("<SEP>", "/"): v for key, v in best.items() if "<SEP>action<SEP>" in key},
        "mapping": str(best.get("Total<SEP>mapping", ""))[:20000],
        "components": components(evaluated),
    }
    Path(Path(given.output).name).write_text(json.dumps(record) + "\n")
    print(f"{record['arch']} {record['workload']}: EDP {record['edp_js']:.6g} J s, {cpu:.1f} CPU s")


if __name__ == "__main__":
    main()

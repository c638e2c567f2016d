"""Simulated cycles per CPU second, tilewright against SCALE-Sim v3, on ResNet-18 and a 32 x 32 WS array.

Both run in this one script, each in a process of its own; SCALE-Sim in an environment of its own (made on first use).
CPU seconds are user + system of the child. The two count different machines (folds that overlap against folds that do
not), so the figure compared is simulated cycles per CPU second, not cycles.

Run: python benchmarks/peers/scalesim_ratio.py [--work DIR] [--repeat 5] [--layers N]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import venv
from pathlib import Path

CONFIG = """[general]
run_name = ratio
[architecture_presets]
ArrayHeight : 32
ArrayWidth : 32
IfmapSramSzkB : 256
FilterSramSzkB : 256
OfmapSramSzkB : 128
IfmapOffset : 0
FilterOffset : 10000000
OfmapOffset : 20000000
Dataflow : ws
Bandwidth : 10
ReadRequestBuffer : 64
WriteRequestBuffer : 64
[layout]
IfmapCustomLayout : False
FilterCustomLayout : False
IfmapSRAMBankBandwidth : 10
IfmapSRAMBankNum : 10
IfmapSRAMBankPort : 2
FilterSRAMBankBandwidth : 10
FilterSRAMBankNum : 10
FilterSRAMBankPort : 2
[sparsity]
SparsitySupport : false
SparseRep : ellpack_block
OptimizedMapping : false
BlockSize : 8
RandomNumberGeneratorSeed : 40
[run_presets]
InterfaceBandwidth : CALC
UseRamulatorTrace : False
"""

OURS = """
import json, resource, sys
import tilewright as tw
result = tw.simulate("resnet18", arch="edge_int8")
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cycles": result.totals.cycles, "cpu_s": usage.ru_utime + usage.ru_stime, "event_s": 0}))
"""

OURS_EVENT = """
import json, time
import tilewright as tw
from hw_models.description import load_accelerator
machine = load_accelerator("edge_int8", ["core.dataflows=[ws]"])
program = tw.map_network("resnet18", arch="edge_int8", overrides=["core.dataflows=[ws]"]).program
from sim.machine import run_program
runs = []
for _ in range(3):
    begin = time.process_time()
    cycles = run_program(program, machine).cycles
    runs.append(time.process_time() - begin)
print(json.dumps({"cycles": cycles, "cpu_s": sorted(runs)[1]}))
"""


def child_cpu(command: list[str], cwd: Path) -> tuple[float, str]:
    """Run `command`; return its user + system seconds and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, done.stdout


def topology(limit: int | None) -> tuple[str, str]:
    """Return ResNet-18 as SCALE-Sim's topology and layout CSV; padding is written into the input size."""
    from workloads.mac_layers import MacLayer
    from workloads.zoo import load

    header = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
    rows, layouts = [], []
    network = load("resnet18")
    for layer in network.layers:
        if isinstance(layer, MacLayer):
            d = layer.dims
            height, width = (layer.input_extent("OY", d.OY), layer.input_extent("OX", d.OX))
            stride = layer.strides[1]
            rows.append(f"{layer.name.replace('.', '_')}, {height}, {width}, {d.FY}, {d.FX}, {d.C}, {d.K}, {stride},\n")
            layouts.append(f"{layer.name.replace('.', '_')}, " + ", ".join(["1"] * 20) + ",\n")
    return header + "".join(rows[:limit]), "layout\n" + "".join(layouts[:limit])


def peer(work: Path, limit: int | None) -> dict[str, float]:
    """Run SCALE-Sim once; return its total cycles and CPU seconds."""
    home = work / "scalesim-env"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "scalesim==3.0.0", "numpy<2", "pandas<2.3"], check=True)
    (work / "scale.cfg").write_text(CONFIG)
    table, layout = topology(limit)
    (work / "resnet18.csv").write_text(table)
    (work / "layout.csv").write_text(layout)
    options = ["-t", "resnet18.csv", "-c", "scale.cfg", "-l", "layout.csv", "-p", "results", "-s", "N"]
    cpu, _ = child_cpu([str(python), "-m", "scalesim.scale", *options], work)
    report = work / "results" / "ratio" / "COMPUTE_REPORT.csv"
    lines = [line.split(",") for line in report.read_text().splitlines()]
    column = next(i for i, name in enumerate(lines[0]) if name.strip() == "Total Cycles")
    return {"cycles": sum(float(row[column]) + 1 for row in lines[1:] if len(row) > column), "cpu_s": cpu}


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("scalesim-work"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--layers", type=int, default=None, help="give SCALE-Sim the first N layers only")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).resolve().parents[2]
    os.environ["PYTHONPATH"] = str(root)
    whole = [json.loads(child_cpu([sys.executable, "-c", OURS], root)[1]) for _ in range(arguments.repeat)]
    event = [json.loads(child_cpu([sys.executable, "-c", OURS_EVENT], root)[1]) for _ in range(arguments.repeat)]
    cpu = statistics.median(run["cpu_s"] for run in whole)
    rate = statistics.median(run["cycles"] / run["cpu_s"] for run in event)
    print(f"tilewright, process start + mapping + event model: {whole[0]['cycles']:,} cycles, median {cpu:.2f} CPU s")
    print(f"tilewright, event model alone: {rate / 1e6:.2f} M simulated cycles per CPU s (WS)")
    del os.environ["PYTHONPATH"]
    theirs = peer(work, arguments.layers)
    peer_rate = theirs["cycles"] / theirs["cpu_s"]
    spent = f"{theirs['cycles']:,.0f} cycles in {theirs['cpu_s']:.1f} CPU s"
    print(f"SCALE-Sim 3.0.0: {spent} = {peer_rate / 1e3:.2f} k per CPU s")
    print(f"ratio, event model alone: {rate / peer_rate:,.0f} x")
    print(f"ratio, whole run with mapping: {whole[0]['cycles'] / cpu / peer_rate:,.0f} x")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()

"""Gives our plans to ZigZag's own cost model and compares energy and cycles with what we counted.

Started by the Python of ZigZag's environment, on a file that `mapper_vs_peers.py --plans DIR` wrote:

    ENV/bin/python benchmarks/peers/zigzag_check.py MACHINE MAPPING WORKLOAD PLANS.json
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile

from zigzag.datatypes import LayerDim, LayerOperand, OADimension
from zigzag.mapping.spatial_mapping import MappingSingleOADim, SpatialMapping
from zigzag.mapping.temporal_mapping import TemporalMapping, TemporalMappingType
from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage
from zigzag.stages.mapping.spatial_mapping_conversion import SpatialMappingConversionStage
from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage
from zigzag_run import shipped


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("machine", "mapping", "workload", "plans"):
        parser.add_argument(name)
    given = parser.parse_args()
    with open(given.plans) as stream:  # noqa: PTH123 - runs in the peer's environment
        plans = {plan["name"]: plan for plan in json.load(stream)}

    def ours(self):
        """Evaluate our plan in the place of ZigZag's search."""
        plan, layer = plans[self.layer.name], self.layer
        spatial = SpatialMapping({})
        for axis, pairs in plan["spatial"].items():
            spatial[OADimension(axis)] = MappingSingleOADim({LayerDim(dim): factor for dim, factor in pairs})
        spatial.initialize_oa_dims(self.oa_dim_sizes)
        layer.spatial_mapping = spatial
        stage = SpatialMappingConversionStage([CostModelStage], accelerator=self.accelerator, layer=layer)
        fine, whole = stage.convert_user_spatial_mapping(spatial)
        loops = {
            LayerOperand(role): [[(LayerDim(dim), factor) for dim, factor in level] for level in levels]
            for role, levels in plan["temporal"].items()
        }
        temporal = TemporalMapping(loops, layer, TemporalMappingType.UNEVEN)
        yield from CostModelStage(
            [], accelerator=self.accelerator, layer=layer, spatial_mapping=fine, spatial_mapping_int=whole,
            temporal_mapping=temporal,
        ).run()  # fmt: skip

    SpatialMappingGeneratorStage.run = ours
    logging.disable(logging.CRITICAL)
    from zigzag.api import get_hardware_performance_zigzag

    with tempfile.TemporaryDirectory() as folder:
        energy, latency, cmes = get_hardware_performance_zigzag(
            shipped(given.workload, "workload", (".onnx", ".yaml")),
            shipped(given.machine, "hardware", (".yaml",)),
            shipped(given.mapping, "mapping", (".yaml",)),
            dump_folder=folder,
            loma_show_progress_bar=False,
        )
    wrong = 0
    for cme, _ in cmes[0][1]:
        plan = plans[cme.layer.name]
        same = abs(cme.energy_total - plan["energy_pj"]) <= 1e-9 * cme.energy_total
        if not same or abs(cme.latency_total2 - plan["latency"]) > 1e-6 * cme.latency_total2:
            wrong += 1
            told = f"ZigZag {cme.energy_total}, {cme.latency_total2}"
            print(f"{cme.layer.name}: {told}; ours {plan['energy_pj']}, {plan['latency']}")
    print(f"{len(plans)} layers, {wrong} differ; ZigZag says {energy:.6g} pJ, {latency:.6g} cycles")


if __name__ == "__main__":
    main()

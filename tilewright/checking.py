"""``check`` for built-in networks: the same report that ONNX models get."""

from __future__ import annotations

from mappers.group import is_alias
from workloads.data_layers import DataLayer
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.onnx_import.report import CheckReport, NodeReport, Placement


def check_builtin(network: Network) -> CheckReport:
    """Return where each layer of `network` runs."""
    nodes = []
    for layer in network.order:
        placement: Placement
        if is_alias(network, layer):
            placement, reason = "folded", "the bytes stay where they are"
        elif isinstance(layer, MacLayer):
            placement, reason = "mapped", "PE array"
        elif isinstance(layer, DataLayer):
            placement, reason = "mapped", "data movement by DMA"
        else:
            placement, reason = "vector unit", ""
        size = 0 if placement == "folded" else layer.compulsory_bytes(network.tensors)
        nodes.append(NodeReport(layer.name, layer.op, placement, reason, layer.macs, size))
    return CheckReport(network.name, 0, tuple(nodes), network.parameters, "", ())

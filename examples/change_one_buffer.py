"""Covers: the Python API, one override, comparing two results.

Scenario: does ResNet-18 suffer from a smaller weight buffer on the reference machine?
Expected: two lines with cycles and DRAM traffic, and the layer that loses most.
Run: python examples/change_one_buffer.py
"""

from __future__ import annotations

import tilewright as tw


def main() -> None:
    """Print both results and the layer that changes most."""
    before = tw.simulate("resnet18", arch="edge_int8")
    after = tw.simulate("resnet18", arch="edge_int8", overrides=["core.weight.half=16KiB"])
    for label, result in (("128 KiB", before), ("16 KiB", after)):
        dram = result.totals.dram_read_bytes + result.totals.dram_write_bytes
        print(f"weight half {label}: {result.totals.cycles:,} cycles, {dram / 2**20:.2f} MiB of DRAM traffic")
    changes = [(old.cycles - new.cycles, old.name) for old, new in zip(before.layers, after.layers, strict=True)]
    loss, layer = min(changes)
    print(f"largest loss: {layer}, {-loss:,} cycles")


if __name__ == "__main__":
    main()

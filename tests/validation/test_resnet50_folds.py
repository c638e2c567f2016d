"""ResNet-50 on a 32 x 32 WS array: folds that overlap take 4.07 M cycles, folds that do not take 6.35 M.

Both totals are computed from the layer shapes by arithmetic in this test and compared with the fold rule of the
generated core and with SCALE-Sim's convention as `hw_models` state them.
"""

from __future__ import annotations

from hw_models.scalesim import count
from hw_models.systolic import SystolicParams
from workloads.formats import Int
from workloads.zoo import load


def test_both_conventions_give_their_totals() -> None:
    params = SystolicParams("ws", 32, 32, Int(8), Int(8), Int(32), 1 << 20)
    overlapped = separate = by_hand = 0
    for layer in load("resnet50").mac_layers:
        d = layer.dims
        m, k, n = d.N * d.OY * d.OX, d.C * d.FY * d.FX, d.K
        job = params.job_for(m, k, n)
        overlapped += job.folds * params.interval_cycles(job)
        by_hand += -(-k // 32) * -(-n // 32) * max(m, 32)
        convention = count("ws", 32, 32, m, k, n)
        separate += convention.compute_cycles
    assert overlapped == by_hand == 4_067_072
    assert separate == 6_349_260

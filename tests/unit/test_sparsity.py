"""N:M arrays: the pattern, compressed weights, what a machine with them counts, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from hw_models.array_timing import timing_of
from hw_models.description import load_accelerator
from hw_models.layer_engine import LayerConstants, engine_params
from hw_models.sparsity import Sparsity
from hw_models.systolic_nm import SystolicNMParams
from mappers.commands import ComputeCommand, LoadCommand
from mappers.plan import Plan, make_plan
from rtl.engine_image import pack_weights
from tilewright.api import simulate
from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.formats import Int

NM = ("core.sparsity.n=2", "core.sparsity.m=4")


def plan(*overrides: str, channels: int = 10, arch: str = "engine_8x8_nm") -> Plan:
    """Return the plan of one convolution."""
    b = NetworkBuilder("one", "test")
    network = b.build(b.conv(b.input("x", (1, channels, 6, 6)), 11, 3, padding=1, name="c"))
    return make_plan(network, load_accelerator(arch, list(overrides)))


@pytest.mark.parametrize(("n", "m", "bits"), [(2, 4, 20), (1, 1, 9), (1, 16, 12), (4, 8, 44), (2, 3, 20)])
def test_bits_of_a_word(n: int, m: int, bits: int) -> None:
    assert Sparsity(n, m).word_bits(8) == bits
    core = timing_of(
        load_accelerator("edge_int8", [f"core.sparsity.n={n}", f"core.sparsity.m={m}"]).core.array, "ws", 9
    )
    assert isinstance(core, SystolicNMParams)
    assert core.index_bits == Sparsity(n, m).index_bits


@pytest.mark.parametrize(("n", "m"), [(0, 4), (5, 4), (2, 17)])
def test_patterns_that_do_not_exist(n: int, m: int) -> None:
    with pytest.raises(InputError, match="bound is 1 <= n <= m <= 16"):
        Sparsity(n, m)


def test_pruning_keeps_the_greatest_and_slots_bring_them_back() -> None:
    draw = np.random.default_rng(0)
    for n, m, c in ((2, 4, 10), (1, 3, 7), (3, 3, 5), (4, 16, 3)):
        pattern = Sparsity(n, m)
        weights = draw.integers(-4, 5, (5, c, 2, 3))
        pruned = pattern.prune(weights)
        values, index = pattern.slots(pruned)
        back = np.zeros((5, values.shape[1] * m, 2, 3), dtype=np.int64)
        for k, g, s, y, x in np.ndindex(values.shape):
            back[k, g * m + index[k, g, s, y, x], y, x] += values[k, g, s, y, x]
        assert (back[:, :c] == pruned).all() and not back[:, c:].any()
        for k, y, x in np.ndindex(5, 2, 3):
            for start in range(0, c, m):
                group, kept = weights[k, start : start + m, y, x], pruned[k, start : start + m, y, x]
                assert set(kept[kept != group].tolist()) <= {0}
                greatest = sorted(range(len(group)), key=lambda i, g=group: (-abs(int(g[i])), i))[:n]  # type: ignore[misc]
                assert [int(kept[i]) for i in greatest] == [int(group[i]) for i in greatest]
                assert (kept != 0).sum() <= n


def test_weights_that_break_the_pattern_are_refused() -> None:
    params = engine_params(load_accelerator("engine_8x8_nm"))
    layer = LayerConstants(np.ones((2, 4, 1, 1), np.int64), *(np.ones(2, np.int64) for _ in range(3)))
    with pytest.raises(InputError, match="a group of 4 has 4 that are not zero, bound is 2; prune to 2:4"):
        pack_weights(layer, (0, 2), (0, 4), params)


def test_packed_words_by_hand() -> None:
    params = replace(engine_params(load_accelerator("engine_8x8_nm")), weight_format=Int(4))
    weights = np.zeros((3, 6, 1, 1), np.int64)
    weights[0, [1, 3], 0, 0] = -1, 5
    weights[2, 5, 0, 0] = 7
    layer = LayerConstants(weights, *(np.zeros(3, np.int64) for _ in range(3)))
    rows = pack_weights(layer, (0, 3), (0, 6), params)[24:].tolist()
    first = (0b01_1111) | (0b11_0101) << 6  # index above value, the first slot lowest
    second = 0b01_0111 << 24  # the third word of the second row
    assert rows == [*first.to_bytes(5, "little"), *second.to_bytes(5, "little")]


def test_commands_count_compressed_bytes_groups_and_kept_macs() -> None:
    made = plan()
    loads = [c for c in made.program.commands if isinstance(c, LoadCommand) and c.part is not None]
    for load in loads:
        assert load.part is not None
        outputs, channels = (stop - start for start, stop in (load.part.outputs, load.part.channels))
        rows = 9 * -(-channels // 4)
        assert load.bytes == 8 * outputs + rows * -(-outputs * 20 // 8)
    jobs = [c for c in made.program.commands if isinstance(c, ComputeCommand)]
    assert all(job.places == 4 and job.word_bits == 20 for job in jobs)
    assert sum(job.macs for job in jobs) == 11 * 36 * 9 * 6  # of 10 channels 2 + 2 + 2 are kept


def test_an_array_of_all_kept_is_as_fast_per_group_and_never_moves_fewer_bytes() -> None:
    dense, all_kept = plan(arch="engine_8x8"), plan("core.sparsity.n=4", "core.sparsity.m=4")
    assert prod((11, 36, 9, 10)) == sum(layer.macs for layer in dense.program.layers)
    assert sum(layer.macs for layer in all_kept.program.layers) == sum(layer.macs for layer in dense.program.layers)

    def packed(of: Plan) -> int:
        return sum(c.bytes for c in of.program.commands if isinstance(c, LoadCommand) and c.part is not None)

    assert packed(all_kept) >= packed(dense) > packed(plan())


def test_weights_made_at_run_time_stay_dense() -> None:
    made = simulate("deit_tiny", arch="edge_int8", fidelity="analytic", overrides=list(NM)).to_json()
    notes = " ".join(made["not_modelled"])
    assert "pruned to 2:4" in notes and "weights made at run time are not pruned: a PE takes 2" in notes


def test_other_arrays_have_no_pattern() -> None:
    with pytest.raises(InputError, match="sparsity is 2:4 on a adder_tree array"):
        load_accelerator("nvdla_small", list(NM))

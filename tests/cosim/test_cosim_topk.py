"""RTL of the N:M reduction against its golden model and formula, alone and in front of an N:M dot-product core."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hw_models.dot import DotParams
from hw_models.topk import TopKParams
from rtl.emit import emit
from rtl.stimulus import exhaustive
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_cosim_stream_cores as stream_tests
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.test_cosim_stream_cores import assert_exact, identifier
from tests.cosim.topk_cases import CORES
from tests.reference.profile import examples
from workloads.formats import Float16

pytestmark = pytest.mark.cosim


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles(params: TopKParams) -> None:
    stream_tests.test_values_and_cycles_are_exact(params)


@pytest.mark.parametrize("params", [p for p in CORES if exhaustive(p) is not None], ids=identifier)
def test_every_group(params: TopKParams) -> None:
    operands = exhaustive(params)
    assert operands is not None
    work = stream_work(params, *operands)
    (runs,) = run_streams(params, [StreamScenario((work,))])
    assert_exact((work,), runs)
    assert runs[0].cycles == work.cycles


@pytest.mark.parametrize("params", [CORES[0], CORES[4], CORES[6]], ids=identifier)
def test_every_latency_is_m(params: TopKParams) -> None:
    rng = np.random.default_rng(2)
    groups = 5
    codes = rng.choice(params.alphabet, (1, groups * params.elements))
    works = tuple(stream_work(params, codes[:, : n * params.elements]) for n in range(1, groups + 1))
    (runs,) = run_streams(params, [StreamScenario(works)])
    assert [run.cycles for run in runs] == [n * params.m for n in range(1, groups + 1)]


def test_floating_corners_are_ranked_by_magnitude() -> None:
    params = TopKParams(2, 4, Float16(), 4)
    corners = (0x0000, 0x8000, 0x0001, 0x8001, 0x3C00, 0xFBFF, 0x7C00, 0xFE00)
    work = stream_work(params, np.array(list(product(corners, repeat=4))).reshape(1, -1))
    (runs,) = run_streams(params, [StreamScenario((work,))])
    assert_exact((work,), runs)


@dataclass(frozen=True)
class Chain:
    """A reduction core whose result stream is the weight stream of an N:M dot-product core."""

    topk: TopKParams
    dot: DotParams
    name: str = "topk_dot_chain"

    def sources(self) -> dict[str, str]:
        """Return both cores and a top that joins them."""
        stream = "wire {0}_valid, {0}_ready; wire [{1}-1:0] {0}_data;"
        both = {key: text for part in (self.topk, self.dot) for key, text in emit(part).items() if key.endswith(".sv")}
        value_bits = self.topk.lanes * self.topk.value_format.bits
        a_bits, w_bits = (
            self.dot.lanes * bits for bits in (self.dot.product.activation_bits, self.topk.slots.weight_bits)
        )
        ports = [f"input wire [{bits}-1:0] s_axis_{port}_tdata" for port, bits in (("v", value_bits), ("a", a_bits))]
        for port in "va":
            ports += [f"input wire s_axis_{port}_t{end}" for end in ("valid", "last")]
            ports.append(f"output wire s_axis_{port}_tready")
        ports += ["input wire clk, rst, m_axis_o_tready", "output wire m_axis_o_tvalid, m_axis_o_tlast"]
        ports.append(f"output wire [{self.dot.accumulator_bits}-1:0] m_axis_o_tdata")
        return both | {
            f"{self.name}.sv": f"module {self.name} ({', '.join(ports)}); {stream.format('w', w_bits)}\n"
            f"{self.topk.name} u_topk (.*, .m_axis_o_tvalid(w_valid), .m_axis_o_tready(w_ready), "
            f".m_axis_o_tdata(w_data), .m_axis_o_tlast());\n"
            f"{self.dot.name} u_dot (.*, .s_axis_w_tvalid(w_valid), .s_axis_w_tready(w_ready), "
            f".s_axis_w_tdata(w_data));\nendmodule\n"
        }


@constants.register
def _(params: Chain) -> dict[str, int | str]:
    return {}


@stream_work.register
def _(params: Chain, a: np.ndarray, w: np.ndarray) -> StreamWork:
    front, back = stream_work(params.topk, w), stream_work(params.dot, a, params.topk.golden(w))
    inputs: dict[str, Beats] = {"s_axis_v": front.inputs["s_axis_v"], "s_axis_a": back.inputs["s_axis_a"]}
    return StreamWork(inputs, back.outputs, front.cycles + params.dot.latency_cycles)


@pytest.mark.parametrize("params", [CORES[0], CORES[1], CORES[5], CORES[11]], ids=identifier)
def test_results_feed_the_dot_product_core(params: TopKParams, tmp_path: Path) -> None:
    chain = Chain(params, DotParams(params.slots, params.lanes, 40))
    rng = np.random.default_rng(3)
    works = []
    for reductions, length in ((1, 1), (3, 17), (2, 4 * params.elements), *[(2, 23)] * examples(3)):
        a, w = (rng.choice(params.alphabet, (reductions, length)) for _ in "aw")
        assert stream_work(params, w).outputs["m_axis_o"].data == (
            stream_work(chain.dot, a, params.golden(w)).inputs["s_axis_w"].data
        )
        works.append(stream_work(chain, a, w))
    scenarios = [
        StreamScenario(tuple(works)),
        StreamScenario(tuple(works), back_to_back=True, idle_percent=30, back_pressure_percent=50, check_paths=True),
    ]
    alone, mixed = run_streams(chain, scenarios, sources=chain.sources())
    assert_exact(tuple(works), alone)
    assert_exact(tuple(works), mixed)
    assert [run.cycles for run in alone] == [work.cycles for work in works]


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint(params: TopKParams, tmp_path: Path) -> None:
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")  # type: ignore[arg-type]
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")  # type: ignore[arg-type]

"""Bin-accumulate core: generated top, constants, operands as beats, and operands to verify it with."""

from __future__ import annotations

from string import Template

import numpy as np

from hw_models.bins import BinsParams
from hw_models.products import IntArray, codes_of, packed
from hw_models.products_table import table_literal
from rtl.stimulus import EXHAUSTIVE_LIMIT, Corner, codes, draw, exhaustive
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import header, localparams, modules

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                     clk,
    input  wire                     rst,              // synchronous
    input  wire                     s_axis_a_tvalid,  // activations: LANES words
    output wire                     s_axis_a_tready,
    input  wire [LANES*INPUT_W-1:0] s_axis_a_tdata,
    input  wire                     s_axis_a_tlast,   // last beat of a reduction
    input  wire                     s_axis_w_tvalid,  // weight indices: LANES words, one beat per activation beat
    output wire                     s_axis_w_tready,
    input  wire [LANES*INDEX_W-1:0] s_axis_w_tdata,
    output wire                     m_axis_o_tvalid,  // one signed sum per reduction
    input  wire                     m_axis_o_tready,
    output wire [        ACC_W-1:0] m_axis_o_tdata,
    output wire                     m_axis_o_tlast
);

  wire ce, op_valid, op_last, full, copy;
  wire [LANES*INPUT_W-1:0] op_a;
  wire [LANES*INDEX_W-1:0] op_w;
  wire [((1 << INDEX_W) - 1)*BIN_W-1:0] bin_sums;

  dot_front #(
      .A_W(LANES * INPUT_W),
      .W_W(LANES * INDEX_W)
  ) u_front (
      .clk            (clk),
      .rst            (rst),
      .ce             (ce),
      .s_axis_a_tvalid(s_axis_a_tvalid),
      .s_axis_a_tready(s_axis_a_tready),
      .s_axis_a_tdata (s_axis_a_tdata),
      .s_axis_a_tlast (s_axis_a_tlast),
      .s_axis_w_tvalid(s_axis_w_tvalid),
      .s_axis_w_tready(s_axis_w_tready),
      .s_axis_w_tdata (s_axis_w_tdata),
      .op_valid       (op_valid),
      .op_last        (op_last),
      .op_a           (op_a),
      .op_w           (op_w)
  );

  bins_add #(
      .LANES       (LANES),
      .INPUT_W     (INPUT_W),
      .INPUT_SIGNED(INPUT_SIGNED),
      .INDEX_W     (INDEX_W),
      .BIN_W       (BIN_W)
  ) u_add (
      .clk     (clk),
      .rst     (rst),
      .ce      (ce),
      .in_valid(op_valid),
      .in_last (op_last),
      .in_a    (op_a),
      .in_w    (op_w),
      .full    (full),
      .copy    (copy),
      .bin_sums(bin_sums)
  );

  bins_multiply #(
      .INDEX_W(INDEX_W),
      .BIN_W  (BIN_W),
      .ENTRY_W(ENTRY_W),
      .ACC_W  (ACC_W),
      .TABLE  (TABLE)
  ) u_multiply (
      .clk            (clk),
      .rst            (rst),
      .full           (full),
      .copy           (copy),
      .bin_sums       (bin_sums),
      .m_axis_o_tvalid(m_axis_o_tvalid),
      .m_axis_o_tready(m_axis_o_tready),
      .m_axis_o_tdata (m_axis_o_tdata),
      .m_axis_o_tlast (m_axis_o_tlast)
  );

endmodule

`default_nettype wire
""")


@constants.register
def _(params: BinsParams) -> dict[str, int | str]:
    return {
        "LANES": params.lanes,
        "INPUT_W": params.input_format.bits,
        "INPUT_SIGNED": int(params.input_format.signed),
        "INDEX_W": params.index_bits,
        "BIN_W": params.bin_bits,
        "ENTRY_W": params.entry_bits,
        "ACC_W": params.accumulator_bits,
        "TABLE": table_literal(params.table, params.entry_bits),
    }


def bins_sources(params: BinsParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    title = f"{params.multiplies_per_output} bins, {params.lanes} lanes, {params.accumulator_bits}-bit sums"
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
    )
    return {
        **modules("systolic", ("tw_skid",)),
        **modules("dot", ("dot_front",)),
        **modules("bins", ("bins_add", "bins_multiply")),
        f"{params.name}.sv": text,
    }


@stream_work.register
def _(params: BinsParams, a: IntArray, w: IntArray) -> StreamWork:
    sums = params.golden(a, w)
    mask = (1 << params.accumulator_bits) - 1
    return StreamWork(
        inputs={
            "s_axis_a": _beats(params, a, params.input_format.bits),
            "s_axis_w": _beats(params, w, params.index_bits),
        },
        outputs={"m_axis_o": Beats.of_packets([int(value) & mask] for value in sums)},
        cycles=params.cycles([a.shape[1]] * a.shape[0], (a, w)),
    )


def _beats(params: BinsParams, codes: IntArray, width: int) -> Beats:
    """Return the beats of each reduction, lane 0 lowest; padding has index 0, so its activation does not matter."""
    wide = np.pad(codes, ((0, 0), (0, -codes.shape[1] % params.lanes)))
    return Beats.of_packets([packed(beat, width) for beat in row.reshape(-1, params.lanes)] for row in wide)


@draw.register
def _(params: BinsParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray]:
    reductions = 1 if corner == "single" else int(rng.integers(1, 6))
    most = min(params.longest, 2 * len(params.table) * params.lanes)
    length = 1 if corner == "single" else int(rng.integers(1, most + 1))
    a = codes(codes_of(params.input_format), (reductions, length), rng, corner)
    return a, codes(np.arange(len(params.table)), (reductions, length), rng, corner)


@exhaustive.register
def _(params: BinsParams) -> tuple[IntArray, IntArray] | None:
    """Return every pair of codes, one pair per reduction."""
    left, right = codes_of(params.input_format), np.arange(len(params.table))
    if len(left) * len(right) > EXHAUSTIVE_LIMIT:
        return None
    a, w = (grid.reshape(-1, 1) for grid in np.meshgrid(left, right, indexing="ij"))
    return a, w

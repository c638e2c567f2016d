"""Requantisers: generated top, constants and operands as beats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import Template

import numpy as np

from hw_models.products import IntArray, packed
from hw_models.requant import RequantParams
from rtl import requant_stimulus  # noqa: F401 -- registers the operands to verify with
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import connections, header, localparams, modules

_RESIDUAL_PORTS = """
    input  wire                      s_axis_r_tvalid,  // residual: LANES codes, one vector per vector of accumulators
    output wire                      s_axis_r_tready,
    input  wire [   LANES*RES_W-1:0] s_axis_r_tdata,"""
_NO_RESIDUAL = """
  // No residual stream.
  wire s_axis_r_tready;
  wire s_axis_r_tvalid = 1'b0;
  wire [LANES*RES_W-1:0] s_axis_r_tdata = '0;
  wire [MULT_W-1:0] r_multiplier = '0;
  wire [RES_W-1:0] r_zero = '0;
  wire unused_ok = s_axis_r_tready;
"""
_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                      clk,
    input  wire                      rst,              // synchronous
    input  wire                      s_axis_x_tvalid,  // LANES accumulators, signed
    output wire                      s_axis_x_tready,
    input  wire [   LANES*ACC_W-1:0] s_axis_x_tdata,
    input  wire                      s_axis_x_tlast,   // last vector of a tile of LANES channels
    input  wire                      s_axis_c_tvalid,  // one beat per tile, from bit 0: $layout
    output wire                      s_axis_c_tready,
    input  wire [       COEFF_W-1:0] s_axis_c_tdata,$residual_ports
    output wire                      m_axis_o_tvalid,  // LANES codes per vector of accumulators
    input  wire                      m_axis_o_tready,
    output wire [   LANES*OUT_W-1:0] m_axis_o_tdata,
    output wire                      m_axis_o_tlast    // s_axis_x_tlast of the vector
);

  localparam integer STAGES = $stages;  // registers of a lane
  localparam integer CHANNEL_W = $channel_width;
  localparam integer TENSOR_AT = LANES * CHANNEL_W;

  wire op_valid, op_last;
  wire [LANES*ACC_W-1:0] op_x;
  wire [LANES*RES_W-1:0] op_r;
  wire [COEFF_W-1:0] op_c;
  wire [OUT_W-1:0] zero, low, high;
  wire ce = ~m_axis_o_tvalid | m_axis_o_tready;
$no_residual
  epilogue_front #(
      .X_W     (LANES * ACC_W),
      .C_W     (COEFF_W),
      .RESIDUAL(RESIDUAL),
      .R_W     (LANES * RES_W)
  ) u_front (
      .clk            (clk),
      .rst            (rst),
      .ce             (ce),
      .s_axis_x_tvalid(s_axis_x_tvalid),
      .s_axis_x_tready(s_axis_x_tready),
      .s_axis_x_tdata (s_axis_x_tdata),
      .s_axis_x_tlast (s_axis_x_tlast),
      .s_axis_c_tvalid(s_axis_c_tvalid),
      .s_axis_c_tready(s_axis_c_tready),
      .s_axis_c_tdata (s_axis_c_tdata),
      .s_axis_r_tvalid(s_axis_r_tvalid),
      .s_axis_r_tready(s_axis_r_tready),
      .s_axis_r_tdata (s_axis_r_tdata),
      .op_valid       (op_valid),
      .op_last        (op_last),
      .op_x           (op_x),
      .op_c           (op_c),
      .op_r           (op_r)
  );

  tw_delay #(
      .DATA_W(OUT_W),
      .DEPTH (STAGES - 2)
  ) u_zero (
      .clk(clk),
      .rst(rst),
      .ce (ce),
      .d  (op_c[TENSOR_AT+:OUT_W]),
      .q  (zero)
  );

  tw_delay #(
      .DATA_W(2 * OUT_W),
      .DEPTH (STAGES - 1)
  ) u_clamp (
      .clk(clk),
      .rst(rst),
      .ce (ce),
      .d  (op_c[TENSOR_AT+OUT_W+:2*OUT_W]),
      .q  ({high, low})
  );

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    requant_lane #(
$lane
    ) u_lane (
        .clk         (clk),
        .ce          (ce),
        .x           (op_x[i*ACC_W+:ACC_W]),
        .bias        (op_c[i*CHANNEL_W+:ACC_W]),
        .multiplier  (op_c[i*CHANNEL_W+ACC_W+:MULT_W]),
        .shift       (op_c[i*CHANNEL_W+ACC_W+MULT_W+:SHIFT_W]),
        .r           (op_r[i*RES_W+:RES_W]),
        .r_zero      ($r_zero),
        .r_multiplier($r_multiplier),
        .zero        (zero),
        .low         (low),
        .high        (high),
        .y           (m_axis_o_tdata[i*OUT_W+:OUT_W])
    );
  end

  tw_delay #(
      .DATA_W(2),
      .DEPTH (STAGES),
      .RESET (1)
  ) u_flags (
      .clk(clk),
      .rst(rst),
      .ce (ce),
      .d  ({op_valid, op_valid & op_last}),
      .q  ({m_axis_o_tvalid, m_axis_o_tlast})
  );

endmodule

`default_nettype wire
""")


def _widths(params: RequantParams) -> tuple[list[int], list[int]]:
    """Return the widths of a channel's coefficients and of those of a tile, lowest first."""
    added = params.residual
    channel = [params.accumulator_bits, params.multiplier_bits, params.SHIFT_BITS]
    return [*channel, *([params.multiplier_bits] if added else [])], [
        *([params.output_format.bits] * 3), *([added.bits] if added else [])
    ]  # fmt: skip


@constants.register
def _(params: RequantParams) -> dict[str, int | str]:
    channel, tile = _widths(params)
    return {
        "LANES": params.lanes,
        "COEFF_W": params.lanes * sum(channel) + sum(tile),
        "ACC_W": params.accumulator_bits,
        "MULT_W": params.multiplier_bits,
        "SHIFT_W": params.SHIFT_BITS,
        "OUT_W": params.output_format.bits,
        "OUT_SIGNED": int(params.output_format.signed),
        "HALF_EVEN": int(params.rounding == "half_even"),
        "RESIDUAL": int(params.residual is not None),
        "RES_W": params.residual.bits if params.residual else 1,
        "RES_SIGNED": int(params.residual.signed) if params.residual else 0,
        "SUM_W": params.sum_bits,
        "VALUE_W": params.value_bits,
    }


def requant_sources(params: RequantParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    added = params.residual is not None
    title = f"requantiser of {params.lanes} channels to {params.output_format}, rounding {params.rounding}"
    layout = f"per lane bias, multiplier, shift{', residual multiplier' if added else ''}; then zero, low, high"
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
        layout=layout + (", residual zero" if added else ""),
        residual_ports=_RESIDUAL_PORTS if added else "",
        no_residual="" if added else _NO_RESIDUAL,
        stages=params.latency_cycles - 1,
        channel_width="ACC_W + MULT_W + SHIFT_W" + (" + MULT_W" if added else ""),
        lane=connections({key: key for key in values if key not in ("LANES", "COEFF_W")}, "        "),
        r_zero="op_c[TENSOR_AT+3*OUT_W+:RES_W]" if added else "r_zero",
        r_multiplier="op_c[i*CHANNEL_W+ACC_W+MULT_W+SHIFT_W+:MULT_W]" if added else "r_multiplier",
    )
    return {
        **modules("systolic", ("tw_skid", "tw_delay")),
        **modules("epilogue", ("epilogue_front", "requant_lane")),
        f"{params.name}.sv": text,
    }


@stream_work.register
def _(
    params: RequantParams,
    x: IntArray,
    bias: IntArray,
    multiplier: IntArray,
    shift: IntArray,
    output: Sequence[int],
    r: IntArray | None = None,
    r_multiplier: IntArray | None = None,
    r_zero: int | None = None,
) -> StreamWork:
    # What stands in lanes beyond the last channel: no sum, no multiplier, so the clamped zero point comes out.
    results = params.golden(x, bias, multiplier, shift, output, r, r_multiplier, r_zero)
    channel, tile = _widths(params)
    pad = -x.shape[1] % params.lanes
    spare = int(np.clip(output[0], output[1], output[2]))
    per_channel = [bias, multiplier, shift, *([] if r_multiplier is None else [r_multiplier])]
    table = np.pad(np.array(per_channel), ((0, 0), (0, pad))).T.reshape(-1, params.lanes, len(channel))
    common = _joined([*output, *([] if r_zero is None else [r_zero])], tile)
    width = sum(channel)
    beats = [
        sum(_joined(row.tolist(), channel) << (place * width) for place, row in enumerate(lanes))
        | common << (params.lanes * width)
        for lanes in table
    ]
    inputs = {
        "s_axis_x": vectors(x, params.lanes, params.accumulator_bits),
        "s_axis_c": Beats.of_packets([[beat] for beat in beats]),
    }
    if r is not None and params.residual:
        inputs["s_axis_r"] = vectors(r, params.lanes, params.residual.bits)
    return StreamWork(
        inputs=inputs,
        outputs={"m_axis_o": vectors(results, params.lanes, params.output_format.bits, spare)},
        cycles=params.cycles(*x.shape),
    )


def vectors(matrix: IntArray, lanes: int, width: int, spare: int = 0) -> Beats:
    """Return a matrix (rows, channels) tile by tile, a packet per tile of `lanes` channels; `spare` fills the last."""
    wide = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % lanes)), constant_values=spare)
    tiles = wide.reshape(len(wide), -1, lanes).transpose(1, 0, 2)
    return Beats.of_packets([[packed(row, width) for row in tile] for tile in tiles])


def _joined(values: Iterable[int], widths: Iterable[int]) -> int:
    """Return numbers side by side, the first lowest, each of its own width."""
    word, at = 0, 0
    for value, width in zip(values, widths, strict=True):
        word |= (int(value) & ((1 << width) - 1)) << at
        at += width
    return word

"""Threshold banks: generated top, constants, operands as beats, and operands to verify them with."""

from __future__ import annotations

from string import Template

import numpy as np

from hw_models.products import IntArray, codes_of, packed
from hw_models.thresholds import ThresholdParams
from rtl.requant_top import vectors
from rtl.stimulus import Corner, draw, exhaustive
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import header, localparams, modules

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                       clk,
    input  wire                       rst,              // synchronous
    input  wire                       s_axis_x_tvalid,  // LANES accumulators, signed
    output wire                       s_axis_x_tready,
    input  wire [    LANES*ACC_W-1:0] s_axis_x_tdata,
    input  wire                       s_axis_x_tlast,   // last vector of a tile of LANES channels
    input  wire                       s_axis_t_tvalid,  // one threshold per lane; 2**BITS - 1 beats per tile,
    output wire                       s_axis_t_tready,  // the middle threshold first, then those of the quarters, ...
    input  wire [LANES*(ACC_W+1)-1:0] s_axis_t_tdata,
    output wire                       m_axis_o_tvalid,  // LANES codes per vector of accumulators
    input  wire                       m_axis_o_tready,
    output wire [     LANES*BITS-1:0] m_axis_o_tdata,
    output wire                       m_axis_o_tlast    // s_axis_x_tlast of the vector
);

  localparam integer THRESHOLD_W = ACC_W + 1;

  wire write, write_slot, op_valid, op_last, op_slot;
  wire [BITS-1:0] write_node;
  wire [LANES*THRESHOLD_W-1:0] write_data;
  wire [LANES*ACC_W-1:0] op_x;
  wire ce = ~m_axis_o_tvalid | m_axis_o_tready;

  threshold_front #(
      .X_W (LANES * ACC_W),
      .T_W (LANES * THRESHOLD_W),
      .BITS(BITS)
  ) u_front (
      .clk            (clk),
      .rst            (rst),
      .ce             (ce),
      .s_axis_x_tvalid(s_axis_x_tvalid),
      .s_axis_x_tready(s_axis_x_tready),
      .s_axis_x_tdata (s_axis_x_tdata),
      .s_axis_x_tlast (s_axis_x_tlast),
      .s_axis_t_tvalid(s_axis_t_tvalid),
      .s_axis_t_tready(s_axis_t_tready),
      .s_axis_t_tdata (s_axis_t_tdata),
      .write          (write),
      .write_slot     (write_slot),
      .write_node     (write_node),
      .write_data     (write_data),
      .op_valid       (op_valid),
      .op_last        (op_last),
      .op_slot        (op_slot),
      .op_x           (op_x)
  );

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    threshold_lane #(
        .ACC_W     (ACC_W),
        .BITS      (BITS),
        .OUT_SIGNED(OUT_SIGNED)
    ) u_lane (
        .clk       (clk),
        .ce        (ce),
        .write     (write),
        .write_slot(write_slot),
        .write_node(write_node),
        .threshold (write_data[i*THRESHOLD_W+:THRESHOLD_W]),
        .slot      (op_slot),
        .x         (op_x[i*ACC_W+:ACC_W]),
        .y         (m_axis_o_tdata[i*BITS+:BITS])
    );
  end

  tw_delay #(
      .DATA_W(2),
      .DEPTH (BITS),
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


@constants.register
def _(params: ThresholdParams) -> dict[str, int | str]:
    return {
        "LANES": params.lanes,
        "ACC_W": params.accumulator_bits,
        "BITS": params.output_format.bits,
        "OUT_SIGNED": int(params.output_format.signed),
    }


def thresholds_sources(params: ThresholdParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    title = f"{params.thresholds} thresholds for each of {params.lanes} channels, codes {params.output_format}"
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
    )
    return {
        **modules("systolic", ("tw_skid", "tw_delay")),
        **modules("epilogue", ("threshold_front", "threshold_lane")),
        f"{params.name}.sv": text,
    }


@stream_work.register
def _(params: ThresholdParams, x: IntArray, thresholds: IntArray) -> StreamWork:
    # Lanes beyond the last channel: sums of 0 reach thresholds of 0, the greatest code comes out.
    results = params.golden(x, thresholds)
    bank = np.pad(thresholds, ((0, -len(thresholds) % params.lanes), (0, 0)))[:, list(params.order)]
    tiles = bank.reshape(-1, params.lanes, params.thresholds).transpose(0, 2, 1)
    return StreamWork(
        inputs={
            "s_axis_x": vectors(x, params.lanes, params.accumulator_bits),
            "s_axis_t": Beats.of_packets(
                [packed(row, params.threshold_format.bits) for row in tile] for tile in tiles
            ),
        },
        outputs={
            "m_axis_o": vectors(results, params.lanes, params.output_format.bits, params.output_format.max)
        },
        cycles=params.cycles(*x.shape),
    )  # fmt: skip


@draw.register
def _(params: ThresholdParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray]:
    """Draw thresholds, and accumulators on them or beside them; extreme: those always and never reached among them."""
    one = corner == "single"
    count, form = params.thresholds, params.accumulator_format
    rows = 1 if one else int(rng.integers(1, 2 * min(count, 10) + 2))
    tiles = 3 if count < 32 else 1  # many thresholds take long to go in
    channels = 1 if one else int(rng.integers(1, tiles * params.lanes + 2))
    spread = rng.integers(0, params.accumulator_bits) if corner == "random" else 0
    bank = rng.integers(form.min >> spread, params.never >> spread, (channels, count), endpoint=True)
    if corner == "extreme":
        bank = np.where(rng.random(bank.shape) < 0.4, rng.choice([form.min, params.never], bank.shape), bank)
    bank.sort(axis=1)
    near = bank[np.arange(channels), rng.integers(0, count, (rows, channels))] + rng.integers(-1, 2, (rows, channels))
    anywhere = rng.choice([form.min, form.max, 0, -1], near.shape)
    x = np.where(rng.random(near.shape) < (0.7 if corner == "extreme" else 0.1), anywhere, near)
    return np.clip(x, form.min, form.max), bank


@exhaustive.register
def _(params: ThresholdParams) -> tuple[IntArray, IntArray] | None:
    """Return every accumulator of up to 10 bits in each of two tiles; thresholds evenly apart, and crowded at 0."""
    if params.accumulator_bits > 10:
        return None
    form = params.accumulator_format
    even = np.linspace(form.min, params.never, params.thresholds).astype(np.int64)
    crowded = np.clip((np.arange(params.thresholds) - params.thresholds // 2) // 2, form.min, params.never)
    bank = np.array([even, crowded])[np.arange(2 * params.lanes) % 2]
    return np.repeat(codes_of(form)[:, None], 2 * params.lanes, axis=1), bank

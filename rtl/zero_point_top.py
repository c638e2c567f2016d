"""Zero-point correction: generated top, constants, operands as beats, and operands to verify it with."""

from __future__ import annotations

from string import Template

import numpy as np

from hw_models.products import IntArray, codes_of, packed
from hw_models.zero_point import ZeroPointParams
from rtl.stimulus import Corner, codes, draw
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import connections, header, localparams, modules

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                             clk,
    input  wire                             rst,              // synchronous
    input  wire                             s_axis_p_tvalid,  // raw sums: COLS words per result row
    output wire                             s_axis_p_tready,
    input  wire [           COLS*SUM_W-1:0] s_axis_p_tdata,
    input  wire                             s_axis_p_tlast,   // last vector of a result
    input  wire                             s_axis_r_tvalid,  // sum of the row's activations, one word per vector
    output wire                             s_axis_r_tready,
    input  wire [                ROW_W-1:0] s_axis_r_tdata,
    input  wire                             s_axis_r_tlast,   // last row of a tile of COLS columns
    input  wire                             s_axis_c_tvalid,  // per tile {constant, zero point} of every column
    output wire                             s_axis_c_tready,
    input  wire [COLS*(OUT_W+WEIGHT_W)-1:0] s_axis_c_tdata,
    output wire                             m_axis_o_tvalid,  // COLS signed results per vector
    input  wire                             m_axis_o_tready,
    output wire [           COLS*OUT_W-1:0] m_axis_o_tdata,
    output wire                             m_axis_o_tlast    // s_axis_p_tlast of the vector
);

  localparam integer COLUMN_W = OUT_W + WEIGHT_W;
  localparam integer STAGES = $stages;  // registers of a lane

  wire op_valid, op_last;
  wire [COLS*SUM_W-1:0] op_sums;
  wire [ROW_W-1:0] op_row;
  wire [COLS*COLUMN_W-1:0] op_const;
  wire ce = ~m_axis_o_tvalid | m_axis_o_tready;

  zero_point_front #(
      .SUMS_W (COLS * SUM_W),
      .ROW_W  (ROW_W),
      .CONST_W(COLS * COLUMN_W)
  ) u_front (
      .clk            (clk),
      .rst            (rst),
      .ce             (ce),
      .s_axis_p_tvalid(s_axis_p_tvalid),
      .s_axis_p_tready(s_axis_p_tready),
      .s_axis_p_tdata (s_axis_p_tdata),
      .s_axis_p_tlast (s_axis_p_tlast),
      .s_axis_r_tvalid(s_axis_r_tvalid),
      .s_axis_r_tready(s_axis_r_tready),
      .s_axis_r_tdata (s_axis_r_tdata),
      .s_axis_r_tlast (s_axis_r_tlast),
      .s_axis_c_tvalid(s_axis_c_tvalid),
      .s_axis_c_tready(s_axis_c_tready),
      .s_axis_c_tdata (s_axis_c_tdata),
      .op_valid       (op_valid),
      .op_last        (op_last),
      .op_sums        (op_sums),
      .op_row         (op_row),
      .op_const       (op_const)
  );

  for (genvar c = 0; c < COLS; c++) begin : g_lane
    zero_point_lane #(
$lane
    ) u_lane (
        .clk   (clk),
        .ce    (ce),
        .sum   (op_sums[c*SUM_W+:SUM_W]),
        .row   (op_row),
        .zero  (op_const[c*COLUMN_W+:WEIGHT_W]),
        .folded(op_const[c*COLUMN_W+WEIGHT_W+:OUT_W]),
        .y     (m_axis_o_tdata[c*OUT_W+:OUT_W])
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


@constants.register
def _(params: ZeroPointParams) -> dict[str, int | str]:
    return {
        "COLS": params.cols,
        "SUM_W": params.sum_format.bits,
        "SUM_SIGNED": int(params.sum_format.signed),
        "ROW_W": params.row_sum_format.bits,
        "ROW_SIGNED": int(params.row_sum_format.signed),
        "WEIGHT_W": params.weight_format.bits,
        "WEIGHT_SIGNED": int(params.weight_format.signed),
        "OUT_W": params.output_format.bits,
    }


def zero_point_sources(params: ZeroPointParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    title = f"zero-point correction of {params.cols} columns, reductions up to {params.length}"
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
        stages=params.latency_cycles - 1,
        lane=connections({key: key for key in values if key != "COLS"}, "        "),
    )
    return {
        **modules("systolic", ("tw_skid", "tw_delay")),
        **modules("zero_point", ("zero_point_front", "zero_point_lane")),
        f"{params.name}.sv": text,
    }


@stream_work.register
def _(params: ZeroPointParams, a: IntArray, w: IntArray, za: int, zw: IntArray) -> StreamWork:
    rows, columns = len(a), w.shape[1]
    pad = -columns % params.cols
    sums, results = (
        np.pad(one, ((0, 0), (0, pad))).reshape(rows, -1, params.cols).transpose(1, 0, 2)
        for one in (params.sum_format.wrap(a @ w), params.golden(a, w, za, zw))
    )
    points, folded = (np.pad(one, (0, pad)).reshape(-1, params.cols) for one in (zw, params.folded(w, za, zw)))
    row_sums = [packed(row, params.row_sum_format.bits) for row in a.sum(axis=1, keepdims=True)]
    low = params.weight_format.bits
    return StreamWork(
        inputs={
            "s_axis_p": _vectors(sums, params.sum_format.bits),
            "s_axis_r": Beats.of_packets([row_sums] * len(sums)),
            "s_axis_c": Beats.of_packets(
                [
                    sum(
                        (packed(zero, low) | packed(constant, params.output_format.bits) << low)
                        << (place * params.column_bits)
                        for place, (zero, constant) in enumerate(zip(*tile, strict=True))
                    )
                ]
                for tile in zip(points[..., None], folded[..., None], strict=True)
            ),
        },
        outputs={"m_axis_o": _vectors(results, params.output_format.bits)},
        cycles=params.cycles(rows, columns),
    )


def _vectors(tiles: IntArray, width: int) -> Beats:
    """Return the vectors of all tiles, shape (tiles, rows, cols), as one packet."""
    return Beats.of_packets([[packed(row, width) for tile in tiles for row in tile]])


@draw.register
def _(params: ZeroPointParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray, int, IntArray]:
    one = corner == "single"
    rows, columns = (1 if one else int(rng.integers(1, most)) for most in (8, 3 * params.cols + 2))
    length = 1 if one else params.length if corner == "extreme" else int(rng.integers(1, params.length + 1))
    left, right = codes_of(params.input_format), codes_of(params.weight_format)
    if corner == "extreme":  # one sign for whole operands: sums at the ends of their ranges
        a = np.repeat(codes(left, (rows, 1), rng, corner), length, axis=1)
        w = np.repeat(codes(right, (1, columns), rng, corner), length, axis=0)
    else:
        a, w = codes(left, (rows, length), rng, corner), codes(right, (length, columns), rng, corner)
    return a, w, int(codes(left, (1,), rng, corner)[0]), codes(right, (columns,), rng, corner)

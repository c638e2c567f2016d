"""Pooling cores: generated top, constants, operands as beats, and operands to verify them with."""

from __future__ import annotations

from string import Template

import numpy as np

from hw_models.pool import PoolParams
from hw_models.products import IntArray, codes_of, packed
from hw_models.products_table import table_literal
from rtl.stimulus import EXHAUSTIVE_LIMIT, Corner, codes, draw, exhaustive
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import connections, header, localparams, modules

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                    clk,
    input  wire                    rst,              // synchronous
    input  wire                    s_axis_x_tvalid,  // LANES codes
    output wire                    s_axis_x_tready,
    input  wire [LANES*CODE_W-1:0] s_axis_x_tdata,
    input  wire                    s_axis_x_tlast,   // ends the packet and its last window, however short
    output wire                    m_axis_o_tvalid,  // LANES codes per window
    input  wire                    m_axis_o_tready,
    output wire [LANES*CODE_W-1:0] m_axis_o_tdata,
    output wire                    m_axis_o_tlast    // last window of the packet
);

  localparam integer STAGES = $stages;  // registers of a lane

  wire op_valid, op_first, op_end, op_last;
  wire [COUNT_W-1:0] op_count;
  wire [LANES*CODE_W-1:0] op_x;
  wire ce = ~m_axis_o_tvalid | m_axis_o_tready;
$unused
  pool_front #(
      .DATA_W (LANES * CODE_W),
      .WINDOW (WINDOW),
      .COUNT_W(COUNT_W)
  ) u_front (
      .clk            (clk),
      .rst            (rst),
      .ce             (ce),
      .s_axis_x_tvalid(s_axis_x_tvalid),
      .s_axis_x_tready(s_axis_x_tready),
      .s_axis_x_tdata (s_axis_x_tdata),
      .s_axis_x_tlast (s_axis_x_tlast),
      .op_valid       (op_valid),
      .op_first       (op_first),
      .op_end         (op_end),
      .op_last        (op_last),
      .op_count       (op_count),
      .op_x           (op_x)
  );

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    $module #(
$lane
    ) u_lane (
        .clk  (clk),
        .ce   (ce),
        .valid(op_valid),
        .first(op_first),$count
        .x    (op_x[i*CODE_W+:CODE_W]),
        .y    (m_axis_o_tdata[i*CODE_W+:CODE_W])
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
      .d  ({op_valid & op_end, op_valid & op_last}),
      .q  ({m_axis_o_tvalid, m_axis_o_tlast})
  );

endmodule

`default_nettype wire
""")


@constants.register
def _(params: PoolParams) -> dict[str, int | str]:
    values: dict[str, int | str] = {
        "LANES": params.lanes,
        "CODE_W": params.format.bits,
        "CODE_SIGNED": int(params.format.signed),
        "WINDOW": params.window,
        "COUNT_W": params.window.bit_length(),
    }
    if params.kind == "max":
        return values
    reciprocals = [params.reciprocal(count) for count in params.counts]
    table = (0, *reciprocals) if params.kind == "avg" else tuple(reciprocals)
    width = max(reciprocals).bit_length()
    return {
        **values,
        "PADDED": int(params.kind == "avg_padded"),
        "SUM_W": params.greatest_dividend(params.window).bit_length(),
        "SHIFT": params.shift,
        "RECIP_W": width,
        "ENTRIES": len(table),
        "RECIPROCALS": table_literal(table, width),
    }


def pool_sources(params: PoolParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    greatest = params.kind == "max"
    module = "pool_max_lane" if greatest else "pool_mean_lane"
    lane = ("CODE_W", "CODE_SIGNED") if greatest else tuple(key for key in values if key != "LANES")
    text = _TOP.substitute(
        header=header(
            params.name,
            f"{params.kind} pooling of windows of {params.window} beats, {params.lanes} channels of {params.format}",
            {key.lower(): value for key, value in values.items()},
        ),
        name=params.name,
        constants=localparams(values),
        stages=params.latency_cycles - 1,
        unused="  wire unused_ok = &{1'b0, op_count};\n" if greatest else "",
        module=module,
        lane=connections({key: key for key in lane}, "        "),
        count="" if greatest else "\n        .count(op_count),",
    )
    return {
        **modules("systolic", ("tw_skid", "tw_delay")),
        **modules("epilogue", ("pool_front", module)),
        f"{params.name}.sv": text,
    }


@stream_work.register
def _(params: PoolParams, codes: IntArray) -> StreamWork:
    width = params.format.bits
    return StreamWork(
        inputs={"s_axis_x": Beats.of_packets([packed(row, width) for row in packet] for packet in codes)},
        outputs={
            "m_axis_o": Beats.of_packets([packed(row, width) for row in packet] for packet in params.golden(codes))
        },
        cycles=params.cycles([codes.shape[1]] * codes.shape[0]),
    )


@draw.register
def _(params: PoolParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray]:
    """Draw packets of whole and short windows; extreme: windows of one end of the format in every beat, too."""
    packets = 1 if corner == "single" else int(rng.integers(1, 4))
    beats = 1 if corner == "single" else int(rng.integers(1, (3 if params.window < 16 else 1) * params.window + 6))
    drawn = codes(codes_of(params.format), (packets, beats, params.lanes), rng, corner)
    if corner == "extreme":
        drawn[::2] = drawn[::2, :1]
    return (drawn,)


@exhaustive.register
def _(params: PoolParams) -> tuple[IntArray] | None:
    """Return every window of the whole length, where there are few, or else every sum of one, for a mean.

    Sums: from all codes at the least to all at the greatest, one code raised by one at a time.
    """
    alphabet = codes_of(params.format)
    windows, lanes = len(alphabet) ** params.window, params.lanes
    if windows * params.window <= 1 << 14:
        grids = np.meshgrid(*[alphabet] * params.window, indexing="ij")
        every = np.stack([grid.reshape(-1) for grid in grids], axis=1).reshape(-1)
    else:
        sums = np.arange(params.window * (len(alphabet) - 1) + 1)
        if params.kind == "max" or len(sums) * params.window > EXHAUSTIVE_LIMIT:
            return None
        share = (sums[:, None] + np.arange(params.window)) // params.window
        every = (params.format.min + share).reshape(-1)
    return (np.stack([np.roll(every, lane * params.window) for lane in range(lanes)], axis=-1)[None],)

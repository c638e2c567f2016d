"""Dot-product cores: generated top, constants, and operands as beats."""

from __future__ import annotations

from string import Template

import numpy as np

from hw_models.dot import DotParams
from hw_models.products import IntArray, Product
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import connections, header, localparams, modules

_USES_INT = ("product_int", "product_nm", "product_odd", "product_codebook", "product_split")

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                 clk,
    input  wire                 rst,              // synchronous
    input  wire                 s_axis_a_tvalid,  // activations: LANES words of A_W bits
    output wire                 s_axis_a_tready,
    input  wire [LANES*A_W-1:0] s_axis_a_tdata,
    input  wire                 s_axis_a_tlast,   // last beat of a reduction
    input  wire                 s_axis_w_tvalid,  // weights: LANES words of W_W bits, one beat per activation beat
    output wire                 s_axis_w_tready,
    input  wire [LANES*W_W-1:0] s_axis_w_tdata,
    output wire                 m_axis_o_tvalid,  // one signed sum per reduction
    input  wire                 m_axis_o_tready,
    output wire [    ACC_W-1:0] m_axis_o_tdata,
    output wire                 m_axis_o_tlast
);

  wire ce, op_valid, op_last;
  wire [LANES*A_W-1:0] op_a;
  wire [LANES*W_W-1:0] op_w;
  wire [LANES*P_W-1:0] products;

  dot_front #(
      .A_W(LANES * A_W),
      .W_W(LANES * W_W)
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

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    $module #(
$product
    ) u_product (
        .a(op_a[i*A_W+:A_W]),
        .w(op_w[i*W_W+:W_W]),
        .p(products[i*P_W+:P_W])
    );
  end

  dot_reduce #(
      .LANES(LANES),
      .P_W  (P_W),
      .ACC_W(ACC_W)
  ) u_reduce (
      .clk            (clk),
      .rst            (rst),
      .ce             (ce),
      .in_valid       (op_valid),
      .in_last        (op_last),
      .in_products    (products),
      .m_axis_o_tvalid(m_axis_o_tvalid),
      .m_axis_o_tready(m_axis_o_tready),
      .m_axis_o_tdata (m_axis_o_tdata),
      .m_axis_o_tlast (m_axis_o_tlast)
  );

endmodule

`default_nettype wire
""")


@constants.register
def _(params: DotParams) -> dict[str, int | str]:
    product = params.product
    return {
        "LANES": params.lanes,
        "A_W": product.activation_bits,
        "W_W": product.weight_bits,
        "ACC_W": params.accumulator_bits,
        "P_W": product.product_bits,
        **product.constants(),
    }


def dot_sources(params: DotParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    product = params.product
    shared = ("product_int",) if product.module in _USES_INT and product.module != "product_int" else ()
    sources = modules("systolic", ("tw_skid",)) | modules("dot", (*shared, product.module, "dot_front", "dot_reduce"))
    values = constants(params)
    names = {key: key for key in (*product.constants(), "P_W")}
    title = f"{params.lanes} lanes of {product.name}, {params.accumulator_bits}-bit sums"
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
        module=product.module,
        product=connections(names, "        "),
    )
    return {**sources, f"{params.name}.sv": text}


@stream_work.register
def _(params: DotParams, a: IntArray, w: IntArray) -> StreamWork:
    sums = params.golden(a, w)
    mask = (1 << params.accumulator_bits) - 1
    kept = np.ones(a.shape, dtype=bool)
    product = params.product
    return StreamWork(
        inputs={
            "s_axis_a": Beats.of_packets(_beats(params, product, a, kept, weights=False)),
            "s_axis_w": Beats.of_packets(_beats(params, product, w, kept, weights=True)),
        },
        outputs={"m_axis_o": Beats.of_packets([int(value) & mask] for value in sums)},
        cycles=params.cycles([a.shape[1]] * a.shape[0]),
    )


def _beats(
    params: DotParams,
    product: Product,
    codes: IntArray,
    kept: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    weights: bool,
) -> list[list[int]]:
    """Return the beats of each reduction: element j goes to lane ``(j // elements) % lanes``."""
    pad = -codes.shape[1] % params.elements
    wide = np.pad(codes, ((0, 0), (0, pad)))
    real = np.pad(kept, ((0, 0), (0, pad)))
    make, width = (
        (product.weight_words, product.weight_bits) if weights else (product.activation_words, product.activation_bits)
    )
    packets = []
    for row, keep in zip(wide, real, strict=True):
        words = make(row.reshape(-1, product.elements), keep.reshape(-1, product.elements))
        lanes = [words[start : start + params.lanes] for start in range(0, len(words), params.lanes)]
        packets.append([sum(word << (place * width) for place, word in enumerate(beat)) for beat in lanes])
    return packets

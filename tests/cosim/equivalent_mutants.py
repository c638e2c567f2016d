"""Mutants that no run of a core can notice, each with the reason.

A key is a mutant's name: module, line of code with single spaces, rule. It does not change when the line moves, and
names nothing any more when the line is edited: the reason must then be thought over.
"""

EQUIVALENT: dict[str, str] = {
    "systolic_pe_ws.sv: swap_out <= 1'b0; (reset to one)": (
        "column c sees a swap for at most c cycles after a reset, while its shadows are empty; its first weight comes "
        "in cycle c + 2 or later, behind the edges of the job and of the weight row"
    ),
    "systolic_pe_os.sv: valid_out <= 1'b0; (reset to one)": (
        "column c adds for at most c cycles after a reset; its first pair comes later and starts its sum from 0, and "
        "the drain register is written anew with the fold's result before it is read"
    ),
    "systolic_pe_os.sv: draining <= 1'b0; (reset to one)": (
        "the drain register shifts until the first result of its own element, which stops the shifting and overwrites "
        "it; nothing reads the column before"
    ),
    "product_select.sv: wire [P_W-1:0] value = $unsigned(P_W'(a_signed)); (dropped sign of a_signed)": (
        "P_W is INPUT_W + 1 for every select product, the width of the widened activation: the cast extends nothing"
    ),
    "skip_mac.sv: if (product_valid) sum <= (product_first ? ACC_W'(0) : sum) + ACC_W'(product); "
    "(condition always true)": "without a valid product the pickers put zeros in the operand registers: 0 is added",
    "bins_multiply.sv: if (product_valid) sum <= (product_first ? ACC_W'(0) : sum) + ACC_W'(product); "
    "(condition always true)": (
        "when no bin is multiplied all copies are shifted out and 0 is added; what a reset leaves in them is added to "
        "a sum that the first bin of the next reduction starts anew"
    ),
    "fp_round.sv: wire signed [WIDE_W-1:0] left = zeros < room ? zeros : room; (less becomes less or equal)": (
        "the condition differs only where both branches are the same number"
    ),
    "fp_add.sv: wire swap = a[WORD_W-2:0] < b[WORD_W-2:0]; (less becomes less or equal)": (
        "only operands of one magnitude change places: they align alike, and where their signs differ the sum is 0, "
        "whose sign is not taken from the greater"
    ),
    "engine_accumulator.sv: if (rst) add_valid <= 1'b0; (reset to one)": (
        "one sum is written, and one completion told, in the cycle after a reset: no run counts it, and "
        "a run starts every sum anew"
    ),
    "engine_accumulator.sv: if (rd_en) rd_half <= rd_addr[ADDR_W-1]; (condition always true)": (
        "sums are taken in the cycle after rd_en alone, when both are the half of that read"
    ),
    "engine_accumulator_is.sv: if (rst) add_valid <= 1'b0; (reset to one)": (
        "one completion is told in the cycle after a reset, when no run is there to count it"
    ),
    "engine_accumulator_is.sv: if (rst) bank_valid <= 1'b0; (reset to one)": (
        "one sum of each bank is written in the cycle after a reset; a run starts every sum anew"
    ),
    **{
        f"engine_accumulator_is.sv: if (rd_en) {taken}; (condition always true)": (
            "sums are taken in the cycle after rd_en alone, when both are of that read"
        )
        for taken in ("rd_half <= rd_addr[ADDR_W-1]", "rd_turned <= rd_turn")
    },
    "engine_array_is.sv: if (rst) stepped <= 1'b0; (reset to one)": (
        "column c reads activations for at most c cycles after a reset; the mesh takes none without `w_valid`, and the "
        "first fold writes its own pixel and the place of its sums"
    ),
    "engine_array_is.sv: swap <= 1'b0; (reset to one)": (
        "the mesh swaps once after a reset, when nothing is loaded; the first fold swaps its own activations in"
    ),
    "engine_array_is.sv: sums_valid <= 1'b0; (reset to one)": (
        "one sum of each bank is written, and one completion told, within two cycles of a reset: no run counts it, and "
        "a run starts every sum anew"
    ),
    "engine_column.sv: if (step) held <= now; (condition always true)": (
        "what is held without a step is what stands there, or the pixel that the next step takes by itself: that of a "
        "fold is read behind its first row alone, which held it"
    ),
    **{
        f"engine_column.sv: if (step & begins) next <= after_one; ({rule})": (
            "the next column takes its pixel one cycle behind the first row of the job here, which wrote it; what "
            "other cycles write is read by nobody"
        )
        for rule in ("condition always true", "and becomes or")
    },
    "engine_turn.sv: end else if (step) begin (condition always true)": (
        "a command reads a vector every cycle; between commands nobody looks, and an issue loads every register anew"
    ),
    "engine_array_os.sv: if (rst) valid <= 1'b0; (reset to one)": (
        "a pair that nobody asked for changes sums that the first fold starts anew; no address goes with it"
    ),
    "engine_array.sv: swap <= 1'b0; (reset to one)": (
        "the array swaps once after a reset, when nothing is loaded; the first fold swaps its own weights in"
    ),
    "engine_dma_walk.sv: wire [31:0] in_run = left < 32'(BURST_BEATS) ? left : 32'(BURST_BEATS); "
    "(less becomes less or equal)": ("the condition differs only where both branches are the same number"),
    "engine_dma_walk.sv: wire [31:0] cut = in_run < to_page ? in_run : to_page; (less becomes less or equal)": (
        "the condition differs only where both branches are the same number"
    ),
    "engine_lane.sv: code <= rounded < low ? CODE_W'(low) : rounded > MAX ? CODE_W'(MAX) : "
    "CODE_W'(rounded); (dropped sign of low)": (
        "the cast narrows to the width of a code, and takes the same low bits with or without the sign"
    ),
    "engine_lane.sv: code <= rounded < low ? CODE_W'(low) : rounded > MAX ? CODE_W'(MAX) : "
    "CODE_W'(rounded); (dropped sign of MAX)": (
        "the cast narrows to the width of a code, and takes the same low bits with or without the sign"
    ),
    "engine_lane.sv: code <= rounded < low ? CODE_W'(low) : rounded > MAX ? CODE_W'(MAX) : "
    "CODE_W'(rounded); (dropped sign of rounded)": (
        "the cast narrows to the width of a code, and takes the same low bits with or without the sign"
    ),
    "engine_lane.sv: code <= rounded < low ? CODE_W'(low) : rounded > MAX ? CODE_W'(MAX) : "
    "CODE_W'(rounded); (less becomes less or equal)": (
        "the condition differs only where both branches are the same number"
    ),
    "engine_load.sv: .DEPTH (OUTSTANDING) (delay one longer)": (
        "a command that the walk works on is not in the queue: at most OUTSTANDING - 1 ever wait, and "
        "one place more is never used"
    ),
    "engine_load.sv: .DEPTH (OUTSTANDING) (delay one longer, copy 2)": (
        "a command that the walk works on is not in the queue: at most OUTSTANDING - 1 ever wait, and "
        "one place more is never used"
    ),
    "engine_store.sv: .DEPTH (OUTSTANDING) (delay one longer)": (
        "a command that the walk works on is not in the queue: at most OUTSTANDING - 1 ever wait, and "
        "one place more is never used"
    ),
    "engine_store.sv: .DEPTH (OUTSTANDING) (delay one longer, copy 2)": (
        "a command that the walk works on is not in the queue: at most OUTSTANDING - 1 ever wait, and "
        "one place more is never used"
    ),
    "engine_store.sv: .DEPTH (RESPONSES) (delay one longer)": (
        "no more than RESPONSES bursts are addressed before an answer, so one place more is never used"
    ),
    "engine_weights.sv: assign mask[c] = (row < c_left) & (32'(c) < k_left); (less becomes less or equal, place 2)": (
        "the column behind the last output channel multiplies what stands behind the weights; the mask of the vector "
        "unit keeps what it makes from memory"
    ),
    "engine_weights.sv: k_left <= k_left - 32'(COLS); (subtract becomes add)": (
        "columns behind the last output channel multiply what stands behind the weights; the mask of the vector "
        "unit keeps what they make from memory"
    ),
    "engine_vector.sv: end else if (active) begin (condition always true)": (
        "between commands the walk goes on and nobody looks: an issue loads every register anew, and what travels "
        "beside a vector is marked by `active`"
    ),
    "engine_vector.sv: assign mask[l] = 32'(l) < k_left; (less becomes less or equal)": (
        "one byte more is written behind the channels of a pixel: the first of the next pixel, written again with it, "
        "or the first of the other half behind a full tile, whose store has read it: the store was issued when this "
        "command was, and reads its first beat in the next cycle"
    ),
    "engine_vector.sv: if (code_valid) partial[code_place] <= combined; (condition always true)": (
        "codes of a command come in every cycle from the first to the last; what is written between commands lies "
        "where the next window begins, and the first code of a window does not read it"
    ),
    "engine_vector.sv: meant <= ~pool_mean ? pooled : mean > 50'sd127 ? POOL_W'(127) : mean < -50'sd128 ? "
    "-POOL_W'(128) : (less becomes less or equal)": (
        "the condition differs only where both branches are the same number"
    ),
    "engine_vector.sv: POOL_W'(mean); (dropped sign of mean)": (
        "the cast narrows, and takes the same low bits with or without the sign"
    ),
    "engine_vector.sv: wire last_of_window = window_x_done & window_y_done; (and becomes or)": (
        "the result of part of a window is written to the place of the window, where that of the whole window follows "
        "before the command completes"
    ),
    "pool_mean_lane.sv: if (valid) counted <= count; (condition always true)": (
        "the count is read at the enabled edge after the last beat of a window alone, when it is that beat's; what the "
        "edges between beats make of it is not valid"
    ),
    "engine_pairs.sv: assign weight_mask[c] = 32'(c) < k_now; (less becomes less or equal)": (
        "the column behind the last output channel multiplies what stands behind the weights; the mask of the vector "
        "unit keeps what it makes from memory"
    ),
    "engine_pairs.sv: k_left <= col_done ? k_now - 32'(COLS) : k_now; (subtract becomes add)": (
        "columns behind the last output channel multiply what stands behind the weights; the mask of the vector "
        "unit keeps what they make from memory"
    ),
    "engine_pairs.sv: assign channel_mask[m] = 32'(m) < c_now; (less becomes less or equal)": (
        "no weight points at the place behind the last input channel: slots that a short group does not need hold "
        "value 0 and index 0; a dense step has one channel, always there"
    ),
    "engine_pairs.sv: end else if (step) begin (condition always true)": (
        "without a step no job is taken, and each register is given its own value"
    ),
    "engine_array_os.sv: if (rst) which <= 1'b0; (reset to one)": (
        "the two places for jobs are alike; which of them the first job takes changes nothing"
    ),
    "engine_array_os.sv: stepped <= 1'b0; (reset to one)": (
        "rows read activations for some cycles after a reset that no product takes; no address of a sum enters, for "
        "`ended` is 0, and the first fold gives each row its pixel"
    ),
    "engine_array_os.sv: ended <= 1'b0; (reset to one)": (
        "an address of a sum enters with a step alone, and no row steps before the first fold, which brings its own"
    ),
    "engine_os_row.sv: if (step) held <= now; (condition always true)": (
        "without a step there is no start, and the register is given its own value"
    ),
    "engine_os_row.sv: if (start) begin (condition always true)": (
        "pixel and job stay those of the last start until the next one: the same successor is computed again"
    ),
    "engine_vector.sv: take <= code_valid & code_last; (and becomes or)": (
        "the result of part of a window is written to the place of the window, where that of the whole one follows; "
        "what is written between commands goes behind the tile, at most to the first bytes of the other half, which "
        "their store has read, as with the mask"
    ),
    "engine_scratchpad.sv: if (rd_en) beside <= mask[wr_byte] & (wr_at == rd_at); (condition always true)": (
        "memories with THROUGH are read by arrays, which take the bytes in the cycle after the read and not later"
    ),
    "engine_store.sv: responses <= responses + ($clog2(RESPONSES + 1))'(aw_step) - (add becomes subtract, place 2)": (
        "the cast widens a single bit, which the sum does as well: its width changes nothing"
    ),
    "engine_hop.sv: wire signed [16:0] x_to = x_over ? x_on - $signed({1'b0, x_span}) : x_on; (stuck at one)": (
        "2**16 are added, of which the sixteen bits that are taken have nothing"
    ),
    "engine_hop.sv: wire signed [16:0] y_to = y_over ? y_on - $signed({1'b0, y_span}) : y_on; (stuck at one)": (
        "2**16 are added, of which the sixteen bits that are taken have nothing"
    ),
    "engine_store.sv: ($clog2(RESPONSES + 1))'(m_axi_bvalid & m_axi_bready); (add becomes subtract)": (
        "the cast widens a single bit, which the difference does as well: its width changes nothing"
    ),
    "tw_fifo.sv: full <= 1'b0; (reset to one)": (
        "ready comes one cycle after a reset instead of with its end, and nothing is offered in that "
        "cycle; tests/formal/test_formal.py proves fifo_is_ready_unless_full, which this mutant breaks"
    ),
    "tw_arbiter.sv: if (take) owner <= chosen; (condition always true)": (
        "without a word taken the chosen port is the owner itself while a packet is under way; between "
        "packets nobody looks at the owner"
    ),
    **{
        f"engine_arrays.sv: assign {flow}_ready = 1'b0; (stuck at one)": (
            "of an array that is not built, and no command is for it: nobody looks at its ready"
        )
        for flow in ("ws", "os", "is")
    },
    **{
        f"engine_arrays.sv: assign {flow}_{flag} = 1'b0; (stuck at one)": (
            "of an array that is not built and so gives no sums: the flag is read with them"
        )
        for flow in ("ws", "os", "is")
        for flag in ("first", "job_last")
    },
    "engine_arrays.sv: assign ws_weight_en = 1'b0; (stuck at one)": (
        "the weight memory reads address 0 in cycles in which no array reads; an array takes its bytes in the cycle "
        "after its own read"
    ),
    "engine_arrays.sv: any <= 1'b0; (reset to one)": (
        "with nothing under way a change of dataflow is taken at once, as the idle array takes it"
    ),
    "engine_arrays.sv: if (issue) any <= 1'b1; (condition always true)": (
        "with nothing under way a change of dataflow is taken at once, as the idle array takes it"
    ),
    "engine_scratchpad.sv: if (rd_en) written <= data[8*wr_byte+:8]; (condition always true)": (
        "memories with THROUGH are read by arrays, which take the bytes in the cycle after the read and not later"
    ),
}

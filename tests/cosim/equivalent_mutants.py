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
    "tw_fifo.sv: full <= 1'b0; (reset to one)": (
        "ready comes one cycle after a reset instead of with its end, and nothing is offered in that cycle; "
        "tests/formal/test_formal.py proves fifo_is_ready_unless_full, which this mutant breaks"
    ),
    "tw_arbiter.sv: if (take) owner <= chosen; (condition always true)": (
        "without a word taken the chosen port is the owner itself while a packet is under way; between packets nobody "
        "looks at the owner"
    ),
}

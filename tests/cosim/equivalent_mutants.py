"""Mutants that no run of a core can notice, each with the reason.

A mutant whose reason names a test is not equivalent: the stream bench does not look at what it changes, that test does.
"""

_FLUSHED = "what a reset leaves in an empty array travels out of it before the first operand of a job comes in"
_ANY_ORDER = "the addresses of a job need to be distinct and repeat from row fold to row fold; any order of them does"

EQUIVALENT: dict[str, str] = {
    "systolic_pe_ws.sv:52:0:reset to one": _FLUSHED,
    "systolic_pe_os.sv:54:0:reset to one": _FLUSHED,
    "systolic_pe_os.sv:55:0:reset to one": _FLUSHED,
    "systolic_accumulator.sv:33:0:branches swapped": _ANY_ORDER,
    "systolic_accumulator.sv:45:0:add becomes subtract": _ANY_ORDER,
    "product_select.sv:19:0:dropped sign": "the product is as wide as the widened activation, nothing is extended",
    "fp_round.sv:35:0:less becomes less or equal": "both branches are the same where the two are equal",
    "fp_add.sv:29:0:less becomes less or equal": "operands of one magnitude give the same sum in either order",
    "fp_mac.sv:146:0:add becomes subtract": "test_cosim_fp16.py::test_stall_counter reads the counter",
    "tw_fifo.sv:44:0:reset to one": "test_formal.py proves when it is ready; here it is one cycle late after a reset",
    "tw_arbiter.sv:69:0:and becomes or": "test_cosim_fabric.py::test_ports_that_always_ask_take_turns sees the order",
}

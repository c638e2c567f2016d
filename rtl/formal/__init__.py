"""Properties of RTL modules for proof: ``NAME.svh`` goes into the module NAME in front of its ``endmodule``.

A property sees the module's own signals, so an invariant can name a register. Only immediate assertions: what Yosys
reads.
"""

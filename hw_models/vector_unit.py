"""The vector unit of a core."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hw_models.banking.memory import check_buffers
from hw_models.bounds import MAX_LATENCY_CYCLES, check_positive
from hw_models.clock import OwnClock
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class VectorUnit:
    """Lane-parallel unit for requantisation, activation, element-wise, pooling, softmax and norms.

    Parameters
    ----------
    lanes : int
        Elements processed per step.
    latency_cycles : int
        Pipeline depth from first element in to first element out.
    simple_cycles, special_cycles : int
        Cycles of one step for simple (add, multiply, compare, shift) and for special (exp, divide, square root, tanh)
        operations.
    operand_half_bytes, output_half_bytes : int
        Capacity of one buffer of the operand and of the output staging memory.
    op_pj : Fraction
        Energy of one lane operation.
    writes_input : bool
        Whether results can go to the input scratchpad, so that activations may stay on chip.
    operand_buffers, output_buffers : int
        Buffers of the two staging memories, 1 to 3.
    clock : OwnClock, optional
        That `latency_cycles`, `simple_cycles` and `special_cycles` are cycles of; None: the reference clock.
    """

    lanes: int
    latency_cycles: int
    simple_cycles: int
    special_cycles: int
    operand_half_bytes: int
    output_half_bytes: int
    op_pj: Fraction
    buffer_pj_per_byte: Fraction
    energy_source: str
    writes_input: bool = True
    operand_buffers: int = 2
    output_buffers: int = 2
    clock: OwnClock | None = None

    def __post_init__(self) -> None:
        check_buffers("vector unit", "operand_buffers", self.operand_buffers)
        check_buffers("vector unit", "output_buffers", self.output_buffers)
        check_positive(
            "vector unit",
            lanes=self.lanes,
            simple_cycles=self.simple_cycles,
            special_cycles=self.special_cycles,
            operand_half_bytes=self.operand_half_bytes,
            output_half_bytes=self.output_half_bytes,
        )
        if not 0 <= self.latency_cycles <= MAX_LATENCY_CYCLES:
            raise InputError(
                f"vector unit: latency_cycles is {self.latency_cycles}, bound is 0..{MAX_LATENCY_CYCLES}; correct it"
            )

    def cycles(self, rows: int, row_elements: int, simple_ops: int, special_ops: int) -> int:
        """Return the time of a vector command over `rows` rows of `row_elements` elements, in reference cycles.

        A step takes up to `lanes` elements of one row. Simple operations of one pass are chained in the pipeline, so
        a pass costs one step time however many of them it has; `simple_ops` and `special_ops` count passes. With a
        clock of its own it is the least time, from an edge that both clocks have.
        """
        own = self.own_cycles(rows, row_elements, simple_ops, special_ops)
        return own if self.clock is None else self.clock.least(own)

    def own_cycles(self, rows: int, row_elements: int, simple_ops: int, special_ops: int) -> int:
        """Return the same in cycles of the unit's own clock."""
        steps = rows * -(-row_elements // self.lanes)
        return steps * (simple_ops * self.simple_cycles + special_ops * self.special_cycles) + self.latency_cycles

    def ends(self, cycle: int, own_cycles: int) -> int:
        """Return the reference cycle at which a command of `own_cycles` that starts at `cycle` is complete."""
        return cycle + own_cycles if self.clock is None else self.clock.ends(cycle, own_cycles)

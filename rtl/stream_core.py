"""Stream cores: every core whose ports are a clock, a reset, settings and AXI4-Stream inputs and outputs.

For each type of parameters two functions are registered: `constants` (SystemVerilog parameters of the top) and
`stream_work` (operands to the beats that go in, and the golden result to the beats that must come out). The bench, the
runner and `verify` know no core beyond that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats of one port: data words and which of them are the last of their packet."""

    data: tuple[int, ...]
    last: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.data) != len(self.last):
            raise InputError(
                f"stream beats: {len(self.data)} words with {len(self.last)} last flags; give one per word"
            )

    @classmethod
    def of_packets(cls, packets: Iterable[Sequence[int]]) -> Beats:
        """Return the beats of `packets`, one after another."""
        data: list[int] = []
        last: list[bool] = []
        for packet in packets:
            data += packet
            last += [False] * (len(packet) - 1) + [True] * bool(packet)
        return cls(tuple(data), tuple(last))


@dataclass(frozen=True, slots=True)
class StreamWork:
    """One piece of work of a stream core.

    Parameters
    ----------
    inputs, outputs : dict of str to Beats
        Per port (``s_axis_a`` ...) what goes in and what must come out.
    cycles : int
        Predicted time from the first input beat's handshake to the last output beat's, streams never stalling.
    settings : dict of str to int
        Values of the core's setting ports during the work.
    sources : dict of str to int
        Per output that several inputs contribute to, the lowest bit of the source's number in a word: the order of
        packets of different sources then holds only for works that run alone from sources that never pause.
    """

    inputs: dict[str, Beats]
    outputs: dict[str, Beats]
    cycles: int
    settings: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)


@singledispatch
def stream_work(params: object, *operands: Any) -> StreamWork:
    """Return the beats of one piece of work of the core `params`; operands as for its `golden`.

    Raises
    ------
    InputError
        If the core is not a stream core.
    """
    raise InputError(f"rtl: {type(params).__name__} is not a stream core; run it with its own bench")


@singledispatch
def constants(params: object) -> dict[str, int | str]:
    """Return the SystemVerilog parameters of the core's top, which the bench holds against the elaborated design.

    Raises
    ------
    InputError
        If the core is not a stream core.
    """
    raise InputError(f"rtl: {type(params).__name__} is not a stream core; its top has its own constants")

"""Arrays of adder trees: `pixels` x `channels` x `kernels` products per cycle, one shared convolution buffer.

One description for NVDLA's atomic operations (one pixel, `channels` = atomic C, `kernels` = atomic K), for Xilinx's DPU
(pixel x input-channel x output-channel parallelism) and for VTA's GEMM core. What a machine does differently is a value
here, never a branch on its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from workloads.errors import InputError

Strided = Literal["direct", "space_to_depth"]
WINOGRAD_GAIN = Fraction(9, 4)
"""Multiplications of a 3x3 stride-1 convolution over those of its F(2x2, 3x3) form, 36 / 16 (Lavin and Gray, 2016)."""
WINOGRAD_WEIGHTS = Fraction(16, 9)
"""Weights of the transformed 4x4 filter over those of the 3x3 filter."""


@dataclass(frozen=True, slots=True)
class DotArray:
    """An adder-tree array with its convolution buffer and memory channel.

    Parameters
    ----------
    pixels, channels, kernels : int
        Output pixels (of one row), input channels and output channels that take part in one cycle.
    buffer_bytes : int
        Convolution buffer, shared by features and weights in whole banks of `bank_bytes`.
    align_elements : int
        Channels are stored in groups of this many: the last group is padded.
    strided : {"direct", "space_to_depth"}
        `space_to_depth`: a stride folds the image's pixels into channels, so a first layer fills more lanes.
    winograd : bool
        3x3 stride-1 layers run in Winograd form, 16 multiplications for 36.
    memory_bytes_per_cycle : Fraction
        Bandwidth of the memory channel.
    latency_cycles : int
        Of the memory channel, from request to first data.
    overlap : bool
        Whether loads, array and stores of successive passes overlap; without it each pass ends before the next begins.
    element_lanes : int
        Element-wise operations per cycle behind the array (0: as many as results).
    depthwise_pixels : int
        Output pixels per cycle of an engine of its own for layers of one input channel per group: it takes one tap of
        that many pixels of a row and of `channels` channels a cycle (0: such layers run on the array, group by group).
    """

    name: str
    clock_mhz: Fraction
    pixels: int
    channels: int
    kernels: int
    buffer_bytes: int
    bank_bytes: int
    memory_bytes_per_cycle: Fraction
    latency_cycles: int = 0
    align_elements: int = 1
    element_bytes: int = 1
    strided: Strided = "direct"
    winograd: bool = False
    overlap: bool = True
    element_lanes: int = 0
    depthwise_pixels: int = 0

    def __post_init__(self) -> None:
        for key in ("pixels", "channels", "kernels", "buffer_bytes", "bank_bytes", "align_elements", "element_bytes"):
            value = getattr(self, key)
            if value < 1:
                raise InputError(f"array '{self.name}': {key} is {value}, bound is >= 1; give a positive integer")
        for key in ("clock_mhz", "memory_bytes_per_cycle"):
            if getattr(self, key) <= 0:
                raise InputError(f"array '{self.name}': {key} is {getattr(self, key)}, bound is > 0; correct it")
        for key in ("latency_cycles", "element_lanes", "depthwise_pixels"):
            if getattr(self, key) < 0:
                raise InputError(f"array '{self.name}': {key} is {getattr(self, key)}, bound is >= 0; correct it")
        if self.buffer_bytes % self.bank_bytes or self.buffer_bytes < 2 * self.bank_bytes:
            raise InputError(
                f"array '{self.name}': bank_bytes is {self.bank_bytes}, it must divide buffer_bytes "
                f"({self.buffer_bytes}) into two banks or more; choose a divisor"
            )

    @property
    def macs_per_cycle(self) -> int:
        """Value of pixels times channels times kernels."""
        return self.pixels * self.channels * self.kernels

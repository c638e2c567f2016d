"""Stages of a high-level-synthesis dataflow region: one pixel in per cycle, `depth_cycles` deep, restarted per image.

In such a region (hls4ml ``io_stream``) every layer is a task. A task takes one pixel, with all its channels, every
`interval_cycles`; a window result leaves `depth_cycles` after the pixel that completes it. A task starts the next image
only when it has drained the one before, one cycle of handshake later.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.streaming.stages import Stage, positive
from workloads.errors import InputError

RESTART_CYCLES = 1
"""From the end of a task to its next start: the handshake of the region's control."""


@dataclass(frozen=True, slots=True)
class WindowTask(Stage):
    """Line-buffer layer over a `height` x `width` image: convolution, pooling, or (kernel 1) any element-wise layer.

    Parameters
    ----------
    kernel, stride : int
        Of the window; rows and columns that no window ends on are read all the same.
    depth_cycles : int
        From a pixel to the result it completes.
    interval_cycles : int
        Between pixels (the reuse factor).
    """

    height: int
    width: int
    kernel: int = 1
    stride: int = 1
    depth_cycles: int = 1
    interval_cycles: int = 1

    def __post_init__(self) -> None:
        positive(
            self.name, height=self.height, width=self.width, kernel=self.kernel, stride=self.stride,
            depth_cycles=self.depth_cycles, interval_cycles=self.interval_cycles,
        )  # fmt: skip
        if self.kernel > min(self.height, self.width):
            raise InputError(
                f"stage '{self.name}': kernel is {self.kernel}, bound is the image side "
                f"({min(self.height, self.width)}); shrink the kernel"
            )

    def completes(self, y: int, x: int) -> bool:
        """Return whether the pixel (`y`, `x`) completes a window."""
        y, x = y - self.kernel + 1, x - self.kernel + 1
        return y >= 0 and x >= 0 and y % self.stride == 0 and x % self.stride == 0

    @property
    def out_height(self) -> int:
        """Value of the window rows."""
        return (self.height - self.kernel) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Value of the windows of a row."""
        return (self.width - self.kernel) // self.stride + 1

    @property
    def words_in(self) -> int:
        """Value of the pixels per image."""
        return self.height * self.width

    @property
    def words_out(self) -> int:
        """Value of the results per image."""
        return self.out_height * self.out_width

    @property
    def cycles(self) -> int:
        """Value of the cycles between starts of a task that never waits."""
        return self.task_cycles + RESTART_CYCLES

    @property
    def task_cycles(self) -> int:
        """Value of the latency of the task alone, as a synthesis report gives it."""
        return (self.words_in - 1) * self.interval_cycles + self.depth_cycles + 1


@dataclass(frozen=True, slots=True)
class DenseTask(Stage):
    """Dense or softmax layer: takes `words` words, gives one result word `depth_cycles` after the last."""

    words: int
    depth_cycles: int
    interval_cycles: int = 1

    def __post_init__(self) -> None:
        positive(self.name, words=self.words, depth_cycles=self.depth_cycles, interval_cycles=self.interval_cycles)

    @property
    def words_in(self) -> int:
        """Value of the words per image."""
        return self.words

    @property
    def words_out(self) -> int:
        """Value 1."""
        return 1

    @property
    def cycles(self) -> int:
        """Value of the cycles between starts of a task that never waits."""
        return self.task_cycles + RESTART_CYCLES

    @property
    def task_cycles(self) -> int:
        """Value of the latency of the task alone."""
        return (self.words - 1) * self.interval_cycles + self.depth_cycles + 1

"""Operations and cells of the searched networks: a cell is a small graph over the outputs of two cells before it."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.builder import NetworkBuilder

Padding = int | str


@dataclass(frozen=True, slots=True)
class Genotype:
    """A cell: one pair of (operation, state) per node; states 0 and 1 are the inputs, node i makes state 2 + i.

    Parameters
    ----------
    nodes : tuple of ((str, int), (str, int))
        The two operations whose results a node adds, each with the state it reads.
    concat : tuple of int
        States that the cell's output joins along the channels.
    """

    nodes: tuple[tuple[tuple[str, int], tuple[str, int]], ...]
    concat: tuple[int, ...]


class CellBuilder:
    """Adds the operations of one family of cells to a network.

    Parameters
    ----------
    same : bool
        Pad as TensorFlow's "same" (the odd element behind), or evenly on both sides.
    """

    def __init__(self, b: NetworkBuilder, same: bool) -> None:
        self.b, self.same = b, same
        self._rectified: dict[str, str] = {}

    def relu(self, x: str) -> str:
        """Return the rectified `x`; one layer per tensor, however many operations of the cells read it."""
        if x not in self._rectified:
            self._rectified[x] = self.b.relu(x)
        return self._rectified[x]

    def pad(self, kernel: int, dilation: int = 1) -> Padding:
        """Return the padding that keeps the size at stride 1."""
        return "same" if self.same else (kernel - 1) // 2 * dilation

    def conv(self, x: str, channels: int, kernel: int = 1, stride: int = 1, name: str = "conv") -> str:
        """Add ReLU, convolution and batch normalisation."""
        b = self.b
        pad = self.pad(kernel)
        return b.conv(self.relu(x), channels, kernel, stride=stride, padding=pad, bn=True, name=name)  # type: ignore[arg-type]

    def factorized(self, x: str, channels: int, name: str) -> str:
        """Halve the resolution by two strided 1x1 convolutions, the second one element further, and join them."""
        b, y = self.b, self.relu(x)
        first = b.conv(y, channels // 2, 1, stride=2, bn=True, name=f"{name}.path1")
        second = b.conv(y, channels // 2, 1, stride=2, padding=[(-1, 1), (-1, 1)], bn=True, name=f"{name}.path2")
        return b.concat(first, second, name=f"{name}.join")

    def depthwise(self, x: str, kernel: int, stride: int, dilation: int, name: str) -> str:
        """Add a depthwise convolution without normalisation."""
        channels, pad = self.b.shape(x)[1], self.pad(kernel, dilation)
        return self.b.conv(
            *(x, channels, kernel),
            stride=stride,
            padding=pad,  # type: ignore[arg-type]
            dilation=dilation,
            groups=channels,
            bias=False,
            name=name,
        )

    def separable(self, x: str, channels: int, kernel: int, stride: int, middle: int, name: str) -> str:
        """Add twice ReLU, depthwise and pointwise convolution and batch normalisation; `middle` channels between."""
        b = self.b
        y = self.depthwise(self.relu(x), kernel, stride, 1, f"{name}.dw1")
        y = b.conv(y, middle, 1, bn=True, name=f"{name}.pw1")
        y = self.depthwise(self.relu(y), kernel, 1, 1, f"{name}.dw2")
        return b.conv(y, channels, 1, bn=True, name=f"{name}.pw2")

    def bottleneck(self, x: str, kernels: tuple[tuple[int, int], ...], stride: int, name: str) -> str:
        """Add 1x1 to a quarter of the channels, convolutions of `kernels`, and 1x1 back, each with ReLU before."""
        b, channels = self.b, self.b.shape(x)[1]
        y = self.conv(x, channels // 4, name=f"{name}.reduce")
        for index, kernel in enumerate(kernels):
            steps = [stride if taps > 1 else 1 for taps in kernel]
            pads = [taps // 2 for taps in kernel]
            y = b.conv(
                self.relu(y), channels // 4, kernel, stride=steps, padding=pads, bn=True, name=f"{name}.mid{index}"
            )
        return self.conv(y, channels, name=f"{name}.expand")

    def pool(self, x: str, op: str, kernel: int, stride: int, name: str) -> str:
        """Add a pooling of square windows."""
        pad: Padding = self.pad(kernel) if kernel % 2 else 0
        add = self.b.max_pool if op == "max" else self.b.avg_pool
        return add(x, kernel, stride, pad, name=name)  # type: ignore[arg-type]

    def operation(self, op: str, x: str, stride: int, name: str) -> str:
        """Add one operation of a genotype; the channels stay."""
        channels = self.b.shape(x)[1]
        if op == "skip":
            return x if stride == 1 else self.factorized(x, channels, name)
        if op in ("max3", "avg3", "max2"):
            return self.pool(x, op[:3], int(op[3:]), stride, name)
        if op.startswith("sep"):
            return self.separable(x, channels, int(op[3:]), stride, channels, name)
        if op == "dil3":
            y = self.depthwise(self.relu(x), 3, stride, 2, f"{name}.dw")
            return self.b.conv(y, channels, 1, bn=True, name=f"{name}.pw")
        if op == "conv1":
            return self.conv(x, channels, 1, stride, name)
        if op == "skip_or_conv1":  # identity, or a strided 1x1 convolution where the cell halves the resolution
            return x if stride == 1 else self.conv(x, channels, 1, stride, name)
        kernels = {"bottle3": ((3, 3),), "bottle1x7": ((1, 7), (7, 1))}[op]
        return self.bottleneck(x, kernels, stride, name)

    def cell(self, genotype: Genotype, before: str, now: str, stride: int) -> str:
        """Add a cell on its two prepared inputs; operations on them take `stride`, those on inner nodes 1."""
        states = [before, now]
        for index, pair in enumerate(genotype.nodes):
            parts = [
                self.operation(op, states[state], stride if state < 2 else 1, f"node{index}.{side}")
                for side, (op, state) in zip(("a", "b"), pair, strict=True)
            ]
            states.append(self.b.add(*parts, name=f"node{index}.sum"))
        return self.b.concat(*(states[i] for i in genotype.concat), name="join")

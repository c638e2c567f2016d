"""Small networks of the layer engine's cases."""

from __future__ import annotations

from workloads.builder import NetworkBuilder

LINES = 11
"""Of the image of `lines`."""


def two_inputs(b: NetworkBuilder) -> str:
    """Build two convolutions of inputs of their own, the second with the results of the first added."""
    first = b.conv(b.input("image", (1, 4, 3, 3)), 4, 3, padding=1, name="first")
    return b.add(b.conv(b.input("other", (1, 4, 3, 3)), 4, 1, name="second"), first)


def boxes(b: NetworkBuilder) -> str:
    """Build a convolution of two images to planes that tiles do not divide."""
    return b.relu(b.conv(b.input("image", (2, 4, 5, 4)), 3, (1, 2), name="conv"))


def lines(b: NetworkBuilder) -> str:
    """Build a convolution of one channel to one."""
    return b.conv(b.input("image", (1, 1, LINES, 8)), 1, 1, name="conv")


def two_lines(b: NetworkBuilder) -> str:
    """Build a convolution of one channel to two."""
    return b.conv(b.input("image", (1, 1, LINES, 8)), 2, 1, name="conv")


def three_channels(b: NetworkBuilder) -> str:
    """Build a point-wise convolution of three channels to five."""
    return b.conv(b.input("image", (1, 3, 3, 4)), 5, 1, name="conv")


def pooled_residual(b: NetworkBuilder) -> str:
    """Build a residual block behind a convolution with every parameter different along y and x, and a maximum."""
    x = b.input("image", (1, 4, 4, 4))
    y = b.conv(x, 3, (3, 2), stride=(1, 1), padding=(1, 1), dilation=(1, 2), name="conv")
    y = b.add(y, b.input("second", b.shape(y)))
    return b.max_pool(b.relu(y), 2)


def strided_mean(b: NetworkBuilder) -> str:
    """Build a strided convolution of two images and their means."""
    x = b.input("image", (2, 3, 4, 5))
    return b.avg_pool(b.conv(x, 3, (2, 3), stride=(2, 1), padding=(1, 1), dilation=(2, 1), name="conv"), (2, 1))


def products(b: NetworkBuilder) -> str:
    """Build two matrix products, the first with a ReLU."""
    x = b.input("rows", (3, 7))
    return b.linear(b.relu(b.linear(x, 5, name="fc0")), 4, name="fc1")


def chain_of_three(b: NetworkBuilder) -> str:
    """Build three matrix products, so that three dataflows can follow each other."""
    x = b.linear(b.relu(b.linear(b.input("rows", (3, 5)), 4, name="fc0")), 3, name="fc1")
    return b.linear(x, 4, name="fc2")


def planes(b: NetworkBuilder) -> str:
    """Build a point-wise convolution of two images, whose tiles are parts of planes, rows and pixels."""
    return b.conv(b.input("image", (2, 4, 3, 4)), 2, 1, name="conv")


def images(b: NetworkBuilder) -> str:
    """Build a point-wise convolution of three images, more than two of which one tile may hold."""
    return b.conv(b.input("image", (3, 4, 2, 2)), 2, 1, name="conv")


def narrow(b: NetworkBuilder) -> str:
    """Build a point-wise convolution to more channels than it has: many tiles of few outputs."""
    return b.conv(b.input("image", (1, 4, 4, 4)), 8, 1, name="conv")


def broad(b: NetworkBuilder) -> str:
    """Build a point-wise convolution from more channels than it makes: each pixel is read for several column folds."""
    return b.conv(b.input("image", (1, 8, 4, 4)), 4, 1, name="conv")


def block(b: NetworkBuilder) -> str:
    """Build a small residual block."""
    y = b.conv(b.input("image", (1, 4, 4, 4)), 4, 1, name="conv")
    return b.relu(b.add(y, b.input("second", b.shape(y))))


def rows(b: NetworkBuilder) -> str:
    """Build matrix products of many rows."""
    return b.linear(b.relu(b.linear(b.input("rows", (24, 8)), 8, name="fc0")), 4, name="fc1")


def short_images(b: NetworkBuilder) -> str:
    """Build a point-wise convolution of three images of two pixels."""
    return b.conv(b.input("image", (3, 2, 1, 2)), 4, 1, name="conv")


def single_channel(b: NetworkBuilder) -> str:
    """Build two convolutions of one channel, along x and along y: a tap is one step of an output-stationary job."""
    return b.conv(b.conv(b.input("image", (1, 1, 4, 4)), 1, (1, 2), name="across"), 2, (2, 1), name="down")


def tall(b: NetworkBuilder) -> str:
    """Build a matrix product of more rows than an array of three."""
    return b.linear(b.input("rows", (5, 7)), 8, name="fc")


def branches(b: NetworkBuilder) -> str:
    """Build two convolutions of one image and their sum: the second does not wait for the first."""
    x = b.input("image", (1, 4, 3, 3))
    return b.add(b.conv(x, 4, 3, padding=1, name="first"), b.conv(x, 4, 1, name="second"))

"""Small networks: LeNet-5, a perceptron, the binary CNV and a 1-D pulse network."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.formats import Int
from workloads.network import Network
from workloads.zoo.entry import Entry

LENET_SOURCE = "LeCun et al., Proc. IEEE 86(11), 1998, Fig. 2, with C3 fully connected, pooling without weights"
MLP_SOURCE = "Umuroglu et al., arXiv:1612.07119 (FINN), SFC: three hidden layers of 256 on 28 x 28 digits"
CNV_SOURCE = "Umuroglu et al., arXiv:1612.07119 (FINN), CNV: CIFAR-10, unpadded 3x3 convolutions"
DIGITS_SOURCE = (
    "own definition after the ResNet-8 of MLPerf Tiny, for the UCI digits of scikit-learn; no published model"
)
PULSE_SOURCE = "own definition: 1-D strided convolutions on a digitised detector pulse; no published model"


def lenet(batch: int = 1) -> Network:
    """Return LeNet-5 on 32 x 32 images."""
    b = NetworkBuilder("lenet", LENET_SOURCE)
    x = b.act(b.conv(b.input("image", (batch, 1, 32, 32)), 6, 5, name="c1"), "tanh")
    x = b.act(b.conv(b.avg_pool(x, 2, name="s2"), 16, 5, name="c3"), "tanh")
    x = b.act(b.conv(b.avg_pool(x, 2, name="s4"), 120, 5, name="c5"), "tanh")
    x = b.act(b.linear(b.flatten(x), 84, name="f6"), "tanh")
    return b.build(b.linear(x, 10, name="output"))


def mlp(batch: int = 1, inputs: int = 784, hidden: int = 256, layers: int = 3, classes: int = 10) -> Network:
    """Return a perceptron with `layers` hidden layers of `hidden`."""
    if layers > 1000:
        raise InputError(f"workload 'mlp': layers is {layers}, bound is 1000; reduce it")
    b = NetworkBuilder("mlp", MLP_SOURCE)
    x = b.input("features", (batch, inputs))
    for index in range(1, layers + 1):
        x = b.relu(b.linear(x, hidden, bn=True, name=f"fc{index}"))
    return b.build(b.linear(x, classes, name=f"fc{layers + 1}"))


def cnv(batch: int = 1, weight_bits: int = 1, activation_bits: int = 1) -> Network:
    """Return CNV; one bit stores the pair (-1, +1), the image and the result have eight and sixteen bits."""
    activation = Int(activation_bits, signed=activation_bits > 1)
    weight = Int(weight_bits, signed=weight_bits > 1)
    # thresholds of the folded normalisation
    b = NetworkBuilder("cnv", CNV_SOURCE, activation=activation, weight=weight, bias=Int(24))
    x = b.input("image", (batch, 3, 32, 32), Int(8))
    for index, channels in enumerate((64, 64, 128, 128, 256, 256), 1):
        x = b.conv(x, channels, 3, bn=True, name=f"conv{index}")
        if index in (2, 4):
            x = b.max_pool(x, 2, name=f"pool{index // 2}")
    x = b.flatten(x)
    for index in (1, 2):
        x = b.linear(x, 512, bn=True, name=f"fc{index}")
    return b.build(b.linear(x, 10, bias=False, out_format=Int(16), name="fc3"))


def digits(batch: int = 1, filters: int = 8) -> Network:
    """Return a ResNet of three stacks of one block on the 8 x 8 digits; `tilewright.digits` has trained integers."""
    b = NetworkBuilder("digits", DIGITS_SOURCE)
    x = b.relu(b.conv(b.input("image", (batch, 1, 8, 8)), filters, 3, padding=1, name="conv1"))
    for stack in range(3):
        with b.scope(f"stack{stack + 1}"):
            channels, stride = filters << stack, 2 if stack else 1
            other = b.conv(x, channels, 1, stride=stride, name="shortcut") if stack else x
            y = b.relu(b.conv(x, channels, 3, stride=stride, padding=1, name="conv1"))
            x = b.relu(b.add(other, b.conv(y, channels, 3, padding=1, name="conv2")))
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), 10, name="fc"))


def pulse_cnn(batch: int = 1, samples: int = 1024, channels: int = 16, classes: int = 4) -> Network:
    """Return a 1-D network: four strided convolutions, global average, classifier."""
    b = NetworkBuilder("pulse_cnn", PULSE_SOURCE)
    x = b.input("pulse", (batch, 1, samples))
    for index, (width, kernel) in enumerate(((1, 15), (2, 7), (4, 5), (4, 3)), 1):
        x = b.relu(b.conv(x, channels * width, kernel, stride=2, padding=kernel // 2, bn=True, name=f"conv{index}"))
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), classes, name="fc"))


ENTRIES = (
    Entry("lenet", "LeNet-5, 32 x 32", LENET_SOURCE, lenet),
    Entry("mlp", "perceptron 784 - 3 x 256 - 10", MLP_SOURCE, mlp),
    Entry("cnv", "binary VGG-like network for CIFAR-10", CNV_SOURCE, cnv),
    Entry("digits", "ResNet-8 of the 8 x 8 digits, with trained integers", DIGITS_SOURCE, digits),
    Entry("pulse_cnn", "1-D pulse classifier, 1024 samples", PULSE_SOURCE, pulse_cnn),
)

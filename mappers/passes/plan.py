"""What a dataflow strategy hands to the engine: stages, their resources, and what each pass asks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from workloads.errors import InputError
from workloads.layer import Layer
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.vector_layers import Activation, Elementwise, Pool


@dataclass(frozen=True, slots=True)
class ConvShape:
    """A convolution as the spatial machines see it: `groups` times (channels -> kernels), both per group.

    Parameters
    ----------
    height, width : int
        Input image with its padding where `padded_in` is set, else without.
    out_height, out_width : int
        Output of the convolution.
    store_height, store_width : int
        What leaves the machine after fused pooling; 0 for the output itself.
    operand : bool
        Whether a second operand of the stored size is read and added.
    """

    name: str
    groups: int
    batch: int
    channels: int
    kernels: int
    height: int
    width: int
    filter_height: int
    filter_width: int
    stride: int
    out_height: int
    out_width: int
    store_height: int = 0
    store_width: int = 0
    operand: bool = False

    def __post_init__(self) -> None:
        for key in (
            "groups", "batch", "channels", "kernels", "height", "width", "filter_height", "filter_width", "stride",
            "out_height", "out_width",
        ):  # fmt: skip
            if getattr(self, key) < 1:
                raise InputError(f"layer '{self.name}': {key} is {getattr(self, key)}, bound is >= 1; correct it")

    @property
    def macs(self) -> int:
        """Value of the MACs."""
        taps = self.filter_height * self.filter_width * self.channels
        return self.groups * self.batch * self.kernels * taps * self.out_height * self.out_width

    @property
    def stored(self) -> tuple[int, int]:
        """Value of the stored output's height and width."""
        return (self.store_height or self.out_height, self.store_width or self.out_width)


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One step of a pass.

    Parameters
    ----------
    name : str
        For reports.
    resource : str
        What it occupies; stages that share a resource exclude one another.
    buffers : int
        Passes whose outcome may wait between this stage and the next: a pass may enter this stage only when the pass
        `buffers` before it has left the next stage.
    """

    name: str
    resource: str
    buffers: int = 2

    def __post_init__(self) -> None:
        if self.buffers < 1:
            raise InputError(f"stage '{self.name}': buffers is {self.buffers}, bound is >= 1; give one at least")


@dataclass(frozen=True, slots=True)
class LayerPasses:
    """A layer as passes.

    Parameters
    ----------
    stages : tuple of StageSpec
        In the order a pass goes through them.
    work_cycles : tuple of tuple of int
        Per pass, the cycles it occupies each stage's resource.
    latency_cycles : int
        Added once between the first stage's end and the second stage of a pass (memory latency, pipelined).
    traffic_bytes : dict
        Per level and operand, bytes moved.
    mapping : object
        The decision, for reports.
    """

    name: str
    macs: int
    stages: tuple[StageSpec, ...]
    work_cycles: tuple[tuple[int, ...], ...]
    traffic_bytes: dict[str, dict[str, int]] = field(default_factory=dict)
    latency_cycles: int = 0
    mapping: object = None

    @property
    def bound_cycles(self) -> int:
        """Value of the cycles of the busiest resource: no run is shorter (the analytic fidelity)."""
        return max(self.busy_cycles.values(), default=0)

    @property
    def busy_cycles(self) -> dict[str, int]:
        """Value of the cycles each resource is occupied."""
        busy: dict[str, int] = {}
        for index, stage in enumerate(self.stages):
            busy[stage.resource] = busy.get(stage.resource, 0) + sum(work[index] for work in self.work_cycles)
        return busy


def shares(total: Fraction | int, weights: Sequence[int]) -> list[int]:
    """Return integers in proportion to `weights` whose sums are the running ceilings of `total`.

    The whole is never more than one cycle above `total`, however many parts it is cut into.

    Examples
    --------
    >>> shares(10, [1, 1, 1])
    [4, 3, 3]
    """
    exact = Fraction(total)
    above, below = exact.numerator, exact.denominator * sum(weights)
    parts, before, running = [], 0, 0
    for weight in weights:
        running += weight
        now = -(-above * running // below)
        parts.append(now - before)
        before = now
    return parts


def shapes_of(network: Network) -> tuple[ConvShape, ...]:
    """Return the convolutions and matrix products of `network`; the image sizes include the padding.

    A matrix product is a convolution of a 1 x M image. A batched product (attention) is `groups` of them. Activation,
    residual sum and pooling that follow one another behind a convolution are fused with it.
    """
    followers: dict[str, list[Layer]] = {}
    for layer in network.layers:
        for name in layer.inputs:
            followers.setdefault(name, []).append(layer)
    added: set[str] = set()
    return tuple(
        shape_of(layer, *_fused(network, layer, followers, added))
        for layer in network.layers
        if isinstance(layer, MacLayer)
    )


def shape_of(layer: MacLayer, store_height: int = 0, store_width: int = 0, operand: bool = False) -> ConvShape:
    """Return one layer as a convolution, with what is stored of it and whether a second operand is added.

    Raises
    ------
    InputError
        If the layer is transposed or three-dimensional.
    """
    d, pad = layer.dims, layer.padding
    if d.OD != 1 or d.FD != 1 or layer.transposed:
        raise InputError(
            f"layer '{layer.name}': {'transposed' if layer.transposed else '3-D'} convolutions are not planned in "
            f"passes; use an accelerator whose array is systolic"
        )
    return ConvShape(
        layer.name, d.G, d.N, d.C, d.K,
        layer.input_spatial[1] + sum(pad[1]), layer.input_spatial[2] + sum(pad[2]),
        (d.FY - 1) * layer.dilations[1] + 1, (d.FX - 1) * layer.dilations[2] + 1,
        max(layer.strides[1:]), d.OY, d.OX, store_height, store_width, operand,
    )  # fmt: skip


def _fused(
    network: Network, layer: MacLayer, followers: dict[str, list[Layer]], added: set[str]
) -> tuple[int, int, bool]:
    """Follow what hangs on `layer` alone; return (stored height, stored width, second operand)."""
    tensor, operand = layer.outputs[0], False
    high, wide = layer.dims.OY, layer.dims.OX
    while len(followers.get(tensor, [])) == 1:
        after = followers[tensor][0]
        if isinstance(after, Elementwise) and after.op == "add" and len(after.inputs) == 2 and after.name not in added:
            added.add(after.name)
            operand = True
        elif isinstance(after, Pool) and layer.spatial_rank == 2:
            high, wide = network.tensors[after.outputs[0]].shape[-2:]
        elif not isinstance(after, Activation):
            break
        tensor = after.outputs[0]
    return high, wide, operand

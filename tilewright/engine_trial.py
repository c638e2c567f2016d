"""One layer for the layer engine as something to make simpler: shape, options, mapping, integers.

`starts` takes a network apart into its layers, `variants` yields what is simpler than a trial, `build` makes a case of
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hw_models.layer_engine import IntArray, LayerConstants
from mappers.given import GivenPlan
from mappers.group import Group
from mappers.mapping import Mapping, TileLoop
from mappers.plan import make_plan
from tilewright.engine_case import EngineCase, engine_case
from workloads.builder import NetworkBuilder
from workloads.data_layers import Reshape
from workloads.errors import InfeasibleError, InputError, MismatchError
from workloads.mac_layers import MacLayer

DRAWN_MAPPINGS = 6
LAYER = "layer"
Pads = tuple[tuple[int, int], tuple[int, int]]
NO_PADS: Pads = ((0, 0), (0, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One layer with what is fused to it, its mapping and its integers.

    Parameters
    ----------
    image : ndarray
        Input codes (N, C, Y, X), or (M, C) of a matrix product.
    second : ndarray, optional
        Codes to add, in the shape of the layer's output.
    constants : LayerConstants
        Weights (K, C, FY, FX) and terms.
    pool : tuple of int
        Window; (1, 1) without pooling.
    nest : Mapping, optional
        None: the searched one.
    """

    image: IntArray
    second: IntArray | None
    constants: LayerConstants
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: Pads = NO_PADS
    relu: bool = False
    pool: tuple[int, int] = (1, 1)
    mean: bool = False
    nest: Mapping | None = None

    @property
    def plane(self) -> tuple[int, int]:
        """Value of the rows and columns of the sums."""
        if self.image.ndim == 2:
            return (1, self.image.shape[0])
        sides = []
        for axis in range(2):
            reach = (self.constants.weights.shape[2 + axis] - 1) * self.dilation[axis] + 1
            sides.append((self.image.shape[2 + axis] + sum(self.pad[axis]) - reach) // self.stride[axis] + 1)
        return (sides[0], sides[1])

    @property
    def weight(self) -> tuple[int, int, int]:
        """Value of what a reader has to look at: elements and steps, values that are not plain, their magnitudes."""
        c = self.constants
        arrays = [self.image, c.weights, *([] if self.second is None else [self.second])]
        tiles = 0 if self.nest is None else sum(loop.trips for loop in self.nest.loops)
        options = (
            self.relu + self.mean + sum(self.pool) + sum(self.stride) + sum(self.dilation) + sum(map(sum, self.pad))
        )
        terms = int((c.bias != 0).sum() + (c.multiplier != 1).sum() + (c.shift != 0).sum())
        return (
            sum(array.size for array in arrays) + 2 * tiles + 2 * options,
            sum(int(np.count_nonzero(array)) for array in arrays) + terms,
            sum(int(np.abs(array).sum()) for array in arrays),
        )

    def text(self) -> str:
        """Return the trial in a line."""
        k, c, fy, fx = self.constants.weights.shape
        kind = f"{fy}x{fx} convolution" if self.image.ndim == 4 else "matrix product"
        extra = [f"stride {self.stride}"] * (self.stride != (1, 1)) + [f"dilation {self.dilation}"] * (
            self.dilation != (1, 1)
        )
        extra += [f"padding {self.pad}"] * (self.pad != NO_PADS) + ["added operand"] * (self.second is not None)
        extra += ["ReLU"] * self.relu + [f"{'mean' if self.mean else 'maximum'} of {self.pool}"] * (self.pool != (1, 1))
        loops = ", ".join(f"{loop.dim} by {loop.tile}" for loop in (self.nest.loops if self.nest else ()))
        return ", ".join([f"{kind} of {self.image.shape}, {c} to {k} channels", *extra, f"tiles: {loops or 'whole'}"])


def build(trial: Trial, like: EngineCase) -> EngineCase | None:
    """Return the case of `trial` on the engine of `like`; None where it is no layer or mapping of that engine."""
    b = NetworkBuilder("shrunk", "shrunk", weight=like.params.weight_format)
    k, _, fy, fx = trial.constants.weights.shape
    try:
        x = b.input("image", trial.image.shape)
        inputs = {"image": trial.image}
        if trial.image.ndim == 2:
            y = b.linear(x, k, name=LAYER)
        else:
            y = b.conv(x, k, (fy, fx), stride=trial.stride, padding=trial.pad, dilation=trial.dilation, name=LAYER)
        if trial.second is not None:
            y = b.add(y, b.input("second", b.shape(y)))
            inputs["second"] = trial.second
        y = b.relu(y) if trial.relu else y
        if trial.pool != (1, 1):
            y = b.avg_pool(y, trial.pool) if trial.mean else b.max_pool(y, trial.pool)
        given = None if trial.nest is None else GivenPlan({LAYER: (trial.nest,)}, {})
        plan = make_plan(b.build(y), like.accelerator, given=given)
        case = replace(engine_case(plan, constants={LAYER: trial.constants}, inputs=inputs), params=like.params)
        case.run()
    except (InputError, InfeasibleError, MismatchError):
        return None
    return case if len(case.groups) == 1 else None


def starts(case: EngineCase) -> Iterator[Trial]:
    """Yield every layer of `case` by itself: its own mapping if it is known, the searched one, drawn ones."""
    made = {**case.inputs, **case.golden()}

    def value(name: str) -> IntArray:
        source = name
        while source not in made:
            producer = case.network.producer(source)
            assert isinstance(producer, Reshape)
            source = producer.inputs[0]
        return made[source].reshape(case.network.tensor(name).shape)

    draw = np.random.default_rng(0)
    for group in case.groups:
        whole = _of_group(case, group, value(group.lead.inputs[0]), value(group.residual) if group.residual else None)
        if whole is None:
            continue
        nest = case.nests.get(group.lead.name)
        if nest is not None:
            yield replace(whole, nest=replace(nest, layer=LAYER, certificate=None))
        yield whole
        for _ in range(DRAWN_MAPPINGS):
            yield replace(whole, nest=_drawn(whole, case, draw))


def _of_group(case: EngineCase, group: Group, image: IntArray, second: IntArray | None) -> Trial | None:
    """Return the trial of a group of `case` under no mapping; None where it is no layer that a trial can say."""
    from rtl.engine_words import vector_functions

    lead = group.lead
    if not isinstance(lead, MacLayer) or lead.spatial_rank not in (0, 2):
        return None
    functions = vector_functions([member.op for member in group.fused], f"layer '{lead.name}'")
    trial = Trial(
        image.reshape(-1, image.shape[-1]) if lead.spatial_rank == 0 else image,
        second, case.constants[lead.name], relu=functions.relu, mean=functions.mean,
    )  # fmt: skip
    if lead.spatial_rank:
        y, x = lead.windows[-2:]
        pad = ((y.pad_before, y.pad_after), (x.pad_before, x.pad_after))
        trial = replace(trial, stride=(y.stride, x.stride), dilation=(y.dilation, x.dilation), pad=pad)
    if group.pool is not None:
        sizes = trial.plane if group.pool.is_global else tuple(window.taps for window in group.pool.windows[-2:])
        trial = replace(trial, pool=(sizes[0], sizes[-1]))
    return trial


def sizes(trial: Trial) -> dict[str, int]:
    """Return the extents that loops of `trial` walk."""
    k, c = trial.constants.weights.shape[:2]
    n = trial.image.shape[0] if trial.image.ndim == 4 else 1
    return {"N": n, "G": 1, "K": k, "C": c, "OD": 1, "OY": trial.plane[0], "OX": trial.plane[1]}


def _drawn(trial: Trial, case: EngineCase, draw: np.random.Generator) -> Mapping:
    """Return any mapping, legal or not."""
    loops = []
    for dim, size in sizes(trial).items():
        if size > 1 and draw.random() < 0.4:
            loops.append(TileLoop(dim, size, int(draw.integers(1, size))))
    order = tuple(loops[place] for place in draw.permutation(len(loops)))
    cuts = tuple((role, int(draw.integers(0, len(order) + 1))) for role in "IWO")
    return Mapping(LAYER, case.accelerator.core.name, case.accelerator.core.array.dataflows[0], order, cuts)


def _fitted(trial: Trial) -> Trial:
    """Return `trial` with the loops of its mapping cut to its sizes; those that hold all are left out."""
    if trial.nest is None:
        return trial
    extent, nest, kept = sizes(trial), trial.nest, []
    cuts = dict(nest.cuts)
    for place, loop in reversed(list(enumerate(nest.loops))):
        if loop.tile < extent[loop.dim]:
            kept.append(TileLoop(loop.dim, extent[loop.dim], loop.tile))
        else:
            cuts = {role: cut - (cut > place) for role, cut in cuts.items()}
    return replace(trial, nest=replace(nest, loops=tuple(reversed(kept)), cuts=tuple(cuts.items())))


def variants(trial: Trial) -> Iterator[Trial]:
    """Yield simpler trials: each side cut, each option left out, each loop dropped or halved, values made plain."""
    for part in (*_cut(trial), *_options(trial)):
        if min(part.plane) < 1:
            continue
        if part.second is not None and part.image.ndim == 4:
            part = replace(part, second=part.second[:, :, : part.plane[0], : part.plane[1]])
        yield _fitted(part)
    yield from _mappings(trial)
    yield from _plainer(trial)


def _cut(trial: Trial) -> Iterator[Trial]:
    """Yield trials with one side halved, one shorter or 1: its first or its last part."""
    image, c = trial.image, trial.constants
    for axis in range(4):
        for part in _parts(c.weights.shape[axis]):
            at = tuple(part if place == axis else slice(None) for place in range(4))
            weights = c.weights[at]
            if axis == 0:
                bias, multiplier, shift = c.bias[part], c.multiplier[part], c.shift[part]
                terms = replace(c, weights=weights, bias=bias, multiplier=multiplier, shift=shift)
                second = trial.second if trial.second is None else trial.second[:, part]
                yield replace(trial, constants=terms, second=second)
            else:
                seen = image[:, part] if axis == 1 else image
                yield replace(trial, constants=replace(c, weights=weights), image=seen)
    for axis in (0, *range(2, image.ndim)):
        for part in _parts(image.shape[axis]):
            at = tuple(part if place == axis else slice(None) for place in range(image.ndim))
            second = trial.second if trial.second is None or axis else trial.second[part]
            yield replace(trial, image=image[at], second=second)


def _parts(size: int) -> Iterator[slice]:
    for left in sorted({1, size // 2, size - 1} - {0, size}):
        yield slice(0, left)
        yield slice(size - left, size)


def _options(trial: Trial) -> Iterator[Trial]:
    """Yield trials without one of their options."""
    if trial.second is not None:
        yield replace(trial, second=None, constants=replace(trial.constants, second_multiplier=0))
    bare: dict[str, object] = {"relu": False, "pool": (1, 1), "mean": False, "second": None}
    windows: dict[str, object] = {"stride": (1, 1), "dilation": (1, 1), "pad": NO_PADS}
    plain: tuple[dict[str, object], ...] = (
        bare | windows, bare, windows,
        {"relu": False}, {"pool": (1, 1), "mean": False}, {"stride": (1, 1)}, {"dilation": (1, 1)},
        {"pad": NO_PADS}, {"pad": (trial.pad[0], (0, 0))}, {"pad": ((0, 0), trial.pad[1])}, {"nest": None},
    )  # fmt: skip
    for change in plain:
        if any(getattr(trial, key) is not value and getattr(trial, key) != value for key, value in change.items()):
            constants = replace(trial.constants, second_multiplier=0) if "second" in change else trial.constants
            yield replace(trial, constants=constants, **change)  # type: ignore[arg-type]


def _mappings(trial: Trial) -> Iterator[Trial]:
    """Yield `trial` with one loop less, or one whose tile is half the extent."""
    nest = trial.nest
    for place, loop in enumerate(nest.loops if nest is not None else ()):
        assert nest is not None
        cuts = tuple((role, cut - (cut > place)) for role, cut in nest.cuts)
        yield replace(trial, nest=replace(nest, loops=(*nest.loops[:place], *nest.loops[place + 1 :]), cuts=cuts))
        half = TileLoop(loop.dim, loop.extent, -(-loop.extent // 2))
        if half.tile > loop.tile:
            yield replace(trial, nest=replace(nest, loops=(*nest.loops[:place], half, *nest.loops[place + 1 :])))


def _plainer(trial: Trial) -> Iterator[Trial]:
    """Yield trials with terms that leave sums as they are, or eighths of the values 0 or 1."""
    c = trial.constants
    yield replace(trial, constants=replace(c, bias=0 * c.bias))
    yield replace(trial, constants=replace(c, multiplier=0 * c.multiplier + 1, shift=0 * c.shift))
    for name, values in (("image", trial.image), ("weights", c.weights), ("second", trial.second)):
        if values is None:
            continue
        for part in range(8):
            for new in (0, 1):
                flat = values.copy().reshape(-1)
                flat[part * flat.size // 8 : (part + 1) * flat.size // 8] = new
                made = flat.reshape(values.shape)
                if name == "weights":
                    yield replace(trial, constants=replace(c, weights=made))
                else:
                    yield replace(trial, **{name: made})  # type: ignore[arg-type]

"""A network on the layer engine: one plan and one set of integers, for the event model, the RTL and the golden run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from hw_models.layer_engine import EngineParams, IntArray, LayerConstants, engine_params
from workloads.errors import InputError, InternalError, MismatchError
from workloads.mac_layers import MacLayer

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.accelerator import Accelerator
    from mappers.commands import Program
    from mappers.dram_layout import Layout
    from mappers.group import Group
    from mappers.mapping import Mapping as Nest
    from mappers.plan import Plan
    from rtl.engine_run import EngineOutcome, EngineRun
    from workloads.network import Network


@dataclass(frozen=True)
class EngineCase:
    """A command list, the machine it is for, its integers, and how many cycles the event model gives it.

    Parameters
    ----------
    groups : sequence of Group
        Of the network, for the golden run.
    layout, addresses : Layout, mapping
        Where tensors lie in DRAM.
    program : Program
        The command list; the only thing that both event model and RTL run.
    constants : mapping
        Integers of each layer, by the name of its group's leading layer.
    inputs : mapping
        Codes of the network's inputs.
    nests : mapping
        Mappings of the groups that have one, by the name of the leading layer, where they are known.
    """

    network: Network
    accelerator: Accelerator
    params: EngineParams
    groups: Sequence[Group]
    layout: Layout
    addresses: Mapping[str, int]
    program: Program
    constants: Mapping[str, LayerConstants]
    inputs: Mapping[str, IntArray]
    predicted_cycles: int
    nests: Mapping[str, Nest] = field(default_factory=dict)

    def run(self, **how: object) -> EngineRun:
        """Return the run of the case for `rtl.engine_run.run_engine`; `how` are options of `EngineRun`."""
        from rtl.engine_image import make_image
        from rtl.engine_run import EngineRun
        from rtl.engine_words import encode

        words = encode(self.program, self.params, self.constants)
        image = make_image(self.program, self.layout.views, self.addresses, self._stored(), self.inputs, self.params)
        return EngineRun(words, image, self.predicted_cycles, **how)  # type: ignore[arg-type]

    def _stored(self) -> dict[str, LayerConstants]:
        """Return the constants with the weights of matrix products in the order in which their inputs lie in DRAM."""
        made = dict(self.constants)
        for group in self.groups:
            order = reduction_order(group, self.layout)
            if order is not None:
                layer = made[group.lead.name]
                made[group.lead.name] = replace(layer, weights=layer.weights[:, order])
        return made

    def golden(self) -> dict[str, IntArray]:
        """Return every tensor that a group leaves behind, as it must be."""
        from rtl.engine_golden import golden_run

        return golden_run(self.network, self.groups, self.constants, self.inputs, self.params)

    def outputs(self) -> int:
        """Return the number of values that the groups leave behind."""
        return sum(prod(self.network.tensor(group.output).shape) for group in self.groups)

    def wrong(self, memory: npt.NDArray[np.uint8] | None) -> int:
        """Return how many values in DRAM differ from the golden run; all where `memory` is None.

        Every other byte must be as it was before the run, and counts as a value.
        """
        if memory is None:
            return self.outputs()
        expected = self.expected_memory()
        return int((memory[: expected.size] != expected).sum())

    def expected_memory(self) -> npt.NDArray[np.uint8]:
        """Return DRAM as it must be after the run."""
        from rtl.engine_image import element_addresses, make_image

        image = make_image(self.program, self.layout.views, self.addresses, self._stored(), self.inputs, self.params)
        golden = self.golden()
        for group in self.groups:
            view = self.layout.views[group.output]
            image[element_addresses(view, self.addresses[view.storage])] = (golden[group.output] & 0xFF).astype(
                np.uint8
            )
        return image

    def agrees(self, outcome: EngineOutcome) -> bool:
        """Tell whether a run of the RTL gave the golden values in the predicted cycles, without an error response."""
        same = outcome.cycles == self.predicted_cycles and not outcome.error
        return same and self.wrong(outcome.memory) == 0


def reduction_order(group: Group, layout: Layout) -> IntArray | None:
    """Return the logical index of each place of a matrix product's reduction as its input lies in DRAM.

    A flattened image lies channels innermost: its rows are walked in that order, and weights are packed in it. None for
    a convolution.

    Raises
    ------
    InputError
        If rows of the input do not lie one after another, which the engine's tiles need.
    """
    from rtl.engine_image import element_addresses

    lead = group.lead
    if not isinstance(lead, MacLayer) or lead.spatial_rank:
        return None
    view = layout.views[lead.input_tensor]
    width = view.shape[-1]
    rows = element_addresses(view, 0).reshape(-1, width)
    places = rows - rows.min(axis=1, keepdims=True)
    starts = rows.min(axis=1) - rows.min()
    whole = np.sort(places[0]).tolist() == list(range(width)) and (places == places[0]).all()
    if not whole or (starts != np.arange(len(rows)) * width).any():
        raise InputError(
            f"layer '{lead.name}': rows of its input '{lead.input_tensor}' do not lie one after another in DRAM, the "
            f"layer engine needs that; reshape elsewhere"
        )
    order: IntArray = np.argsort(places[0])
    return order


def _check_groups(network: Network, groups: Sequence[Group], layout: Layout) -> None:
    """Raise `InputError` for a layer whose values the engine would not make as the network means them."""
    for group in groups:
        if isinstance(group.lead, MacLayer) and group.lead.transposed:
            raise InputError(f"layer '{group.lead.name}': transposed, the layer engine runs ordinary convolutions")
        reduction_order(group, layout)
        for member in group.fused:
            form = network.tensor(member.outputs[0]).format
            if member.op == "quantize" and form != EngineParams.OUTPUT:
                raise InputError(
                    f"layer '{member.name}' (quantize): to {form}, the layer engine makes {EngineParams.OUTPUT} alone"
                )


def engine_case(
    plan: Plan,
    seed: int = 0,
    constants: Mapping[str, LayerConstants] | None = None,
    inputs: Mapping[str, IntArray] | None = None,
) -> EngineCase:
    """Return the case of `plan`; integers that are not given are drawn from `seed`.

    Raises
    ------
    InputError
        If the machine or a layer is not one that the layer engine is built for.
    """
    case = case_of(
        plan.network, plan.accelerator, [entry.group for entry in plan.groups], plan.layout, plan.addresses,
        plan.program, seed, constants, inputs,
    )  # fmt: skip
    alone = [entry for entry in plan.groups if len(entry.parts) == 1]
    nests = {entry.group.lead.name: entry.parts[0].mapping(plan.accelerator.core.name) for entry in alone}
    return replace(case, nests=nests)


def case_of(
    network: Network,
    accelerator: Accelerator,
    groups: Sequence[Group],
    layout: Layout,
    addresses: Mapping[str, int],
    program: Program,
    seed: int = 0,
    constants: Mapping[str, LayerConstants] | None = None,
    inputs: Mapping[str, IntArray] | None = None,
) -> EngineCase:
    """Return the case of `program`; see `engine_case`.

    Raises
    ------
    MismatchError
        If the event model refuses the command list: something is read before it is complete, or overwritten.
    """
    from sim.machine import run_program

    params = engine_params(accelerator)
    _check_groups(network, groups, layout)
    draw = np.random.default_rng(seed)
    made = dict(constants) if constants is not None else draw_constants(groups, draw, params)
    made = pruned(made, groups, layout, params)
    codes = dict(inputs) if inputs is not None else {
        name: draw.integers(params.input_format.min, params.input_format.max, layout.views[name].shape, endpoint=True)
        for name in network.inputs
    }  # fmt: skip
    try:
        predicted = run_program(program, accelerator).cycles
    except InternalError as error:
        raise MismatchError(f"command list of '{program.workload}': the event model refuses it: {error}") from None
    return EngineCase(network, accelerator, params, groups, layout, addresses, program, made, codes, predicted)


def pruned(
    constants: Mapping[str, LayerConstants], groups: Sequence[Group], layout: Layout, params: EngineParams
) -> dict[str, LayerConstants]:
    """Return `constants` as an engine takes them: weights of an N:M engine pruned to its pattern, by magnitude.

    Groups run along the input channels, those of a matrix product along its reduction as its input lies in DRAM.
    """
    made = dict(constants)
    for group in groups if params.sparsity is not None else ():
        order, layer = reduction_order(group, layout), made[group.lead.name]
        places = np.arange(layer.weights.shape[1]) if order is None else order
        weights = np.empty_like(layer.weights)
        assert params.sparsity is not None
        weights[:, places] = params.sparsity.prune(layer.weights[:, places])
        made[group.lead.name] = replace(layer, weights=weights)
    return made


def draw_constants(
    groups: Sequence[Group], draw: np.random.Generator, params: EngineParams
) -> dict[str, LayerConstants]:
    """Return random integers for every layer: weights over their whole format, scales that spread the codes."""
    made = {}
    for group in groups:
        lead = group.lead
        if not isinstance(lead, MacLayer):
            raise InputError(
                f"layer '{lead.name}' ({lead.op}): not on the array; the layer engine runs MAC layers and what is "
                f"fused to them"
            )
        d, form = lead.dims, params.weight_format
        k = d.G * d.K
        weights = draw.integers(form.min, form.max, (k, d.C, d.FY, d.FX), endpoint=True)
        shift = np.full(k, 20) if group.residual else draw.integers(12, 24, k)
        spread = 2.0 ** (params.input_format.bits + form.bits - 11) * np.sqrt(d.C * d.FY * d.FX)
        multiplier = np.maximum(1, 2.0**shift / spread * draw.uniform(0.5, 1.5, k)).astype(np.int64)
        count = prod(w.taps for w in group.pool.windows) if group.pool is not None else 0
        made[lead.name] = LayerConstants(
            weights,
            draw.integers(-1000, 1000, k),
            np.minimum(multiplier, (1 << 24) - 1),
            shift.astype(np.int64),
            second_multiplier=int(draw.integers(1, 1 << 20)) if group.residual else 0,
            mean_multiplier=-(-(1 << 16) // count) if count else 0,
            mean_shift=16 if count else 0,
        )
    return made

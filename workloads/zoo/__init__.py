"""The built-in networks, shape-exact, each with its source; a family is imported when one of its networks is loaded.

Batch normalisation behind a convolution is folded into the convolution's per-channel scale and bias. `parameters` then
equals the published count; running statistics are buffers and not counted.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from workloads.errors import InputError
from workloads.nearest import nearest
from workloads.network import Network
from workloads.zoo.entry import Entry

_FAMILIES: dict[str, tuple[str, ...]] = {
    "alexnet": ("alexnet_caffe", "alexnet"),
    "vgg": ("vgg16",),
    "resnet": ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50"),
    "googlenet": ("googlenet",),
    "densenet": ("densenet121",),
    "mobilenet": ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    "efficientnet": ("efficientnet_b0",),
    "squeezenet": ("squeezenet",),
    "segmentation": ("unet", "fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large"),
    "yolo": ("yolov3_tiny",),
    "video": ("r2plus1d_18", "s3d"),
    "bert": ("bert_base",),
    "gpt2": ("gpt2_prefill", "gpt2_decode"),
    "llama": ("llama_7b_prefill", "llama_7b_decode"),
    "encoder_decoder": ("transformer_base",),
    "vit": ("vit_b_16", "deit_tiny"),
    "conformer": ("conformer_block",),
    "nas": ("darts", "nasnet_large", "amoebanet_d", "pnasnet_large"),
    "mlperf_tiny": ("tiny_kws", "tiny_vww", "tiny_ic", "tiny_ad"),
    "small": ("lenet", "mlp", "cnv", "digits", "pulse_cnn"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list: `parameters` are (name, default) pairs."""

    name: str
    summary: str
    source: str
    parameters: tuple[tuple[str, Any], ...]


def workload_names() -> tuple[str, ...]:
    """Return the names of all networks, without importing any."""
    return tuple(name for names in _FAMILIES.values() for name in names)


def list_workloads() -> tuple[Row, ...]:
    """Return a row for each network: name, one line, source, parameters with their defaults."""
    rows = []
    for name in workload_names():
        entry = _entry(name)
        rows.append(Row(name, entry.summary, entry.source, _parameters(entry)))
    return tuple(rows)


def load(name: str, **parameters: Any) -> Network:
    """Return a network of the zoo.

    Parameters
    ----------
    name : str
        One of `workload_names`.
    **parameters
        Those of the network, for example ``batch=4`` or ``sequence=384``; all have defaults.

    Raises
    ------
    InputError
        If the name or a parameter is unknown, or a value is out of bounds.
    """
    entry = _entry(name)
    defaults = dict(_parameters(entry))
    for key, value in parameters.items():
        if key not in defaults:
            raise InputError(
                f"workload '{name}': parameter '{key}' is not known; it takes {', '.join(defaults)}"
                f"{nearest(key, defaults)}"
            )
        default = defaults[key]
        if isinstance(default, (bool, str)):
            if not isinstance(value, type(default)):
                raise InputError(
                    f"workload '{name}': {key} is {value!r}, expected {type(default).__name__} such as "
                    f"{default!r}; correct it"
                )
        elif not isinstance(value, int) or isinstance(value, bool) or value < min(1, default):
            raise InputError(f"workload '{name}': {key} is {value!r}, bound is >= {min(1, default)}; give an integer")
    return entry.build(**parameters)


def _entry(name: str) -> Entry:
    for family, names in _FAMILIES.items():
        if name in names:
            entries: tuple[Entry, ...] = import_module(f"workloads.zoo.{family}").ENTRIES
            return next(entry for entry in entries if entry.name == name)
    raise InputError(f"workload '{name}': not in the zoo{nearest(name, workload_names()) or '; list the workloads'}")


def _parameters(entry: Entry) -> tuple[tuple[str, Any], ...]:
    return tuple((p.name, p.default) for p in inspect.signature(entry.build).parameters.values())

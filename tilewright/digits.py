"""Trained integers of the zoo's `digits` network, and test images: a whole network with real weights.

Made by ``tools/train_digits.py`` from the UCI digits (E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
Digits, CC BY 4.0): int8, symmetric, weights per output channel, activations per tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from hw_models.layer_engine import IntArray, LayerConstants

NAME = "digits"


@dataclass(frozen=True)
class Digits:
    """What the data file holds.

    Parameters
    ----------
    constants : mapping
        Integers of each layer by name.
    images : ndarray of int64, shape (128, 1, 8, 8)
        Test images as codes.
    labels : ndarray of int64, shape (128,)
        Their digits.
    float_right : int
        How many of these images the network gets right in floating point.
    """

    constants: Mapping[str, LayerConstants]
    images: IntArray
    labels: IntArray
    float_right: int


@lru_cache(maxsize=1)
def load_digits() -> Digits:
    """Return the trained integers and the test images."""
    file = resources.files("tilewright.data") / "digits.npz"
    with resources.as_file(file) as path, np.load(path) as held:
        arrays = {key: held[key].astype(np.int64) for key in held.files}
    constants = {}
    for name in dict.fromkeys(key.split(":")[0] for key in arrays if ":" in key):
        constants[name] = LayerConstants(
            arrays[f"{name}:weights"],
            arrays[f"{name}:bias"],
            arrays[f"{name}:multiplier"],
            arrays[f"{name}:shift"],
            second_multiplier=int(arrays.get(f"{name}:second_multiplier", np.int64(0))),
            mean_multiplier=1 if name == "stack3.conv2" else 0,  # of the 2 x 2 codes behind the last block: exact
            mean_shift=2 if name == "stack3.conv2" else 0,
        )
    return Digits(constants, arrays["images"], arrays["labels"], int(arrays["float_right"]))

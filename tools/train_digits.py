"""Train the zoo's `digits` network on scikit-learn's digits and write its integers to tilewright/data/digits.npz.

``python tools/train_digits.py`` in an environment with torch and scikit-learn; six minutes on one core. Float training,
then int8: symmetric, per output channel for weights, per tensor for activations (greatest magnitude on the training
images). The file keeps 128 test images, so that nothing of this is needed to run the network.
Data: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

OUT = Path(__file__).resolve().parents[1] / "tilewright" / "data" / "digits.npz"
FILTERS, SHIFT, TEST_IMAGES, KEPT_IMAGES = 8, 20, 360, 128
INPUT_SCALE = 1 / 127  # of a pixel in 0..1


class Digits(nn.Module):
    """The network of `workloads.zoo.small.digits`."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"conv1": nn.Conv2d(1, FILTERS, 3, padding=1)})
        before = FILTERS
        for stack in range(3):
            width, stride = FILTERS << stack, 2 if stack else 1
            self.layers[f"stack{stack + 1}/conv1"] = nn.Conv2d(before, width, 3, stride, 1)
            self.layers[f"stack{stack + 1}/conv2"] = nn.Conv2d(width, width, 3, padding=1)
            if stack:
                self.layers[f"stack{stack + 1}/shortcut"] = nn.Conv2d(before, width, 1, stride)
            before = width
        self.layers["fc"] = nn.Linear(before, 10)

    def forward(self, x: torch.Tensor, seen: dict[str, float] | None = None) -> torch.Tensor:
        """Return the logits; note the greatest magnitude of every tensor that is stored in `seen`."""

        def note(name: str, value: torch.Tensor) -> torch.Tensor:
            if seen is not None:
                seen[name] = max(seen.get(name, 0.0), float(value.abs().max()))
            return value

        layers = self.layers
        x = note("conv1", functional.relu(layers["conv1"](x)))
        for stack in range(1, 4):
            y = note(f"stack{stack}/conv1", functional.relu(layers[f"stack{stack}/conv1"](x)))
            y = layers[f"stack{stack}/conv2"](y)
            if stack > 1:
                x = note(f"stack{stack}/shortcut", layers[f"stack{stack}/shortcut"](x))
            x = note(f"stack{stack}/conv2", functional.relu(x + y))
        return note("fc", layers["fc"](x.mean((2, 3))))


def train(images: torch.Tensor, labels: torch.Tensor) -> Digits:
    """Return the trained network."""
    torch.manual_seed(0)
    model = Digits()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
    epochs, batch = 60, 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=epochs * -(-len(images) // batch))
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images), batch):
            chosen = order[start : start + batch]
            shifts = [int(v) for v in torch.randint(-1, 2, (2,))]
            loss = functional.cross_entropy(model(torch.roll(images[chosen], shifts, (2, 3))), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def quantise(model: Digits, seen: dict[str, float]) -> dict[str, np.ndarray]:
    """Return the integers of every layer as `hw_models.layer_engine.LayerConstants` names them."""
    scale = {name: value / 127 for name, value in seen.items()}
    scale["image"] = INPUT_SCALE
    source = {"conv1": "image", "fc": "stack3/conv2"}
    for stack in range(1, 4):
        before = "conv1" if stack == 1 else f"stack{stack - 1}/conv2"
        source |= {f"stack{stack}/conv1": before, f"stack{stack}/shortcut": before}
        source[f"stack{stack}/conv2"] = f"stack{stack}/conv1"
    made = {}
    for name, layer in model.layers.items():
        key = name.replace("/", ".")  # as the zoo names it; a module's name takes no dot
        weight = layer.weight.detach().numpy().astype(np.float64)
        weight = weight.reshape(*weight.shape[:2], *(weight.shape[2:] or (1, 1)))
        steps = np.abs(weight).max((1, 2, 3)) / 127
        product = steps * scale[source[name]]
        made[f"{key}:weights"] = np.rint(weight / steps[:, None, None, None]).astype(np.int8)
        made[f"{key}:bias"] = np.rint(layer.bias.detach().numpy() / product).astype(np.int32)
        made[f"{key}:multiplier"] = np.rint(product / scale[name] * 2.0**SHIFT).astype(np.int32)
        made[f"{key}:shift"] = np.full(len(steps), SHIFT, dtype=np.int8)
        if name.endswith("conv2"):
            other = "conv1" if name.startswith("stack1") else name.replace("conv2", "shortcut")
            made[f"{key}:second_multiplier"] = np.int32(round(scale[other] / scale[name] * 2.0**SHIFT))
    return made


def main() -> None:
    """Train, quantise, write."""
    data = load_digits()
    pixels = data.images.astype(np.float32)[:, None] / 16
    train_images, train_labels = torch.tensor(pixels[:-TEST_IMAGES]), torch.tensor(data.target[:-TEST_IMAGES])
    test_images, test_labels = torch.tensor(pixels[-TEST_IMAGES:]), data.target[-TEST_IMAGES:]
    model = train(train_images, train_labels)
    seen: dict[str, float] = {}
    with torch.no_grad():
        model(train_images, seen)
        (model(test_images).argmax(1).numpy() == test_labels).mean()
    integers = quantise(model, seen)
    integers["images"] = np.rint(pixels[-TEST_IMAGES:] / INPUT_SCALE)[:KEPT_IMAGES].astype(np.int8)
    integers["labels"] = test_labels[:KEPT_IMAGES].astype(np.int8)
    integers["float_right"] = np.int32(((model(test_images).argmax(1).numpy() == test_labels)[:KEPT_IMAGES]).sum())
    OUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(OUT, **integers)


if __name__ == "__main__":
    main()

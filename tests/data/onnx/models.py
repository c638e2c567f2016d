"""Small torch models of the ONNX corpus: one per family of operators that the importer must know."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """Residual bottleneck of ResNet-50 with the stride on the 3x3 convolution."""

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.conv1 = nn.Conv2d(c_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample: nn.Module | None = None
        if stride != 1 or c_in != out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Bottleneck ResNet; `(3, 4, 6, 3)` and width 64 is ResNet-50."""

    def __init__(self, blocks: tuple[int, ...], width: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1)
        layers: list[nn.Module] = []
        c_in = width
        for stage, count in enumerate(blocks):
            w = width << stage
            for i in range(count):
                layers.append(Bottleneck(c_in, w, 2 if stage and i == 0 else 1))
                c_in = 4 * w
        self.blocks = nn.Sequential(*layers)
        self.fc = nn.Linear(c_in, classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.blocks(self.pool(F.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(y, 1), 1))


class InvertedResidual(nn.Module):
    """Expand, depthwise, squeeze-and-excite (optional), project."""

    def __init__(self, c_in: int, c_out: int, expand: int, stride: int, act: type[nn.Module], squeeze: bool) -> None:
        super().__init__()
        mid = c_in * expand
        self.expand = nn.Sequential(nn.Conv2d(c_in, mid, 1, bias=False), nn.BatchNorm2d(mid), act())
        self.depthwise = nn.Sequential(
            nn.Conv2d(mid, mid, 3, stride, 1, groups=mid, bias=False), nn.BatchNorm2d(mid), act()
        )
        self.squeeze = squeeze
        if squeeze:
            self.fc1 = nn.Conv2d(mid, mid // 4, 1)
            self.fc2 = nn.Conv2d(mid // 4, mid, 1)
        self.project = nn.Sequential(nn.Conv2d(mid, c_out, 1, bias=False), nn.BatchNorm2d(c_out))
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(self.expand(x))
        if self.squeeze:
            y = y * F.hardsigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(y, 1)))))
        y = self.project(y)
        return x + y if self.residual else y


class MobileNet(nn.Module):
    """A few inverted residual blocks with ReLU6 or hard swish."""

    def __init__(self, act: type[nn.Module], squeeze: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), act())
        self.body = nn.Sequential(
            InvertedResidual(16, 24, 3, 2, act, squeeze),
            InvertedResidual(24, 24, 3, 1, act, squeeze),
            InvertedResidual(24, 40, 4, 2, act, squeeze),
        )
        self.fc = nn.Linear(40, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(self.stem(x)).mean((2, 3)))


class Encoder(nn.Module):
    """Pre-norm transformer encoder written with nn.MultiheadAttention."""

    def __init__(self, width: int, heads: int, layers: int, gelu: str) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, width)
        self.position = nn.Parameter(torch.randn(1, 16, width))
        self.attention = nn.ModuleList(nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(layers))
        self.norm1 = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.norm2 = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.up = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(layers))
        self.down = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(layers))
        self.gelu = gelu
        self.head = nn.Linear(width, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.position
        for attention, n1, n2, up, down in zip(self.attention, self.norm1, self.norm2, self.up, self.down, strict=True):
            y = n1(x)
            x = x + attention(y, y, y, need_weights=False)[0]
            x = x + down(F.gelu(up(n2(x)), approximate=self.gelu))
        return self.head(x[:, 0])


class CausalSelfAttention(nn.Module):
    """Fused qkv projection, scaled_dot_product_attention with a causal mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = (
            p.view(b, t, self.heads, c // self.heads).transpose(1, 2) for p in self.qkv(self.norm(x)).split(c, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(y.transpose(1, 2).reshape(b, t, c))


class RMSNorm(nn.Module):
    """Root-mean-square norm written out, as language models do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class LlamaBlock(nn.Module):
    """RMSNorm, rotary attention with grouped keys and values, SiLU-gated MLP."""

    def __init__(self, width: int, heads: int, kv_heads: int, hidden: int, tokens: int) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head = heads, kv_heads, width // heads
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, kv_heads * self.head, bias=False)
        self.v = nn.Linear(width, kv_heads * self.head, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        angle = torch.outer(torch.arange(tokens).float(), 1e4 ** (-torch.arange(0, self.head, 2).float() / self.head))
        self.register_buffer("cos", torch.cat([angle.cos(), angle.cos()], -1))
        self.register_buffer("sin", torch.cat([angle.sin(), angle.sin()], -1))

    def rotate(self, x: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        return x * self.cos + torch.cat([-x[..., half:], x[..., :half]], -1) * self.sin

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        y = self.norm1(x)
        q = self.rotate(self.q(y).view(b, t, self.heads, self.head).transpose(1, 2))
        k = self.rotate(self.k(y).view(b, t, self.kv_heads, self.head).transpose(1, 2))
        v = self.v(y).view(b, t, self.kv_heads, self.head).transpose(1, 2)
        repeat = self.heads // self.kv_heads
        k = k[:, :, None].expand(b, self.kv_heads, repeat, t, self.head).reshape(b, self.heads, t, self.head)
        v = v[:, :, None].expand(b, self.kv_heads, repeat, t, self.head).reshape(b, self.heads, t, self.head)
        mask = torch.full((t, t), float("-inf")).triu(1)
        p = torch.softmax(q @ k.transpose(2, 3) / self.head**0.5 + mask, -1)
        x = x + self.o((p @ v).transpose(1, 2).reshape(b, t, c))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class UNet(nn.Module):
    """Two levels down and up with transposed convolution and concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(3, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1)
        self.c3 = nn.Conv2d(32, 64, 3, padding=2, dilation=2)
        self.up2 = nn.ConvTranspose2d(64, 32, 2, 2)
        self.d2 = nn.Conv2d(64, 32, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(32, 16, 4, 2, 1)
        self.d1 = nn.Conv2d(32, 16, 3, padding=1)
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.leaky_relu(self.c1(x), 0.1)
        b = F.relu(self.c2(F.max_pool2d(a, 2)))
        c = F.relu(self.c3(F.avg_pool2d(b, 2)))
        y = F.relu(self.d2(torch.cat([b, self.up2(c)], 1)))
        y = F.relu(self.d1(torch.cat([a, self.up1(y)], 1)))
        y = F.interpolate(self.head(y), scale_factor=2.0, mode="nearest")
        return torch.sigmoid(y)


class Conv1dNet(nn.Module):
    """Pulse classifier: strided and grouped 1-D convolutions, global pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv1d(2, 16, 7, 2, 3)
        self.c2 = nn.Conv1d(16, 32, 5, 2, 2, groups=4)
        self.c3 = nn.Conv1d(32, 64, 3, 1, 2, dilation=2)
        self.fc = nn.Linear(64, 24)

    def forward(self, x: Tensor) -> Tensor:
        y = F.elu(self.c1(x))
        y = F.max_pool1d(F.relu(self.c2(y)), 2)
        y = torch.tanh(self.c3(y))
        return self.fc(y.mean(-1))


class Conv3dNet(nn.Module):
    """R(2+1)D-like: spatial then temporal 3-D convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.s1 = nn.Conv3d(3, 12, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
        self.n1 = nn.BatchNorm3d(12)
        self.t1 = nn.Conv3d(12, 16, (3, 1, 1), 1, (1, 0, 0), bias=False)
        self.n2 = nn.BatchNorm3d(16)
        self.c2 = nn.Conv3d(16, 32, 3, 2, 1)
        self.fc = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.n1(self.s1(x)))
        y = F.relu(self.n2(self.t1(y)))
        y = F.max_pool3d(F.relu(self.c2(y)), 2)
        return self.fc(F.adaptive_avg_pool3d(y, 1).flatten(1))


class SmallConv(nn.Module):
    """Two convolutions and two fully connected layers, the model that is quantised."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(3, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 32, 3, 2, 1)
        self.c3 = nn.Conv2d(32, 32, 3, 1, 1)
        self.f1 = nn.Linear(32 * 2 * 2, 64)
        self.f2 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.c2(F.relu(self.c1(x))))
        y = F.relu(self.c3(y) + y)
        y = F.max_pool2d(y, 2).flatten(1)
        return self.f2(F.relu(self.f1(y)))


class Mlp(nn.Module):
    """Matrix products of two activations and of an activation with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.f1 = nn.Linear(32, 48)
        self.f2 = nn.Linear(48, 48)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.f1(x))
        y = F.group_norm(self.f2(y).transpose(1, 2), 4).transpose(1, 2)
        return F.softmax(y @ y.transpose(1, 2), -1) @ y


class Recurrent(nn.Module):
    """An LSTM: imported by none of the paths, refused by name."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 24, batch_first=True)
        self.fc = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x)[0][:, -1])


class PlainAttention(nn.Module):
    """Attention spelled out with matmul and softmax, additive mask, LayerNorm after (BERT order)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = q @ k.transpose(-1, -2) / float(q.shape[-1]) ** 0.5
        scores = scores + (x[:, :, 0] > 9.0).float()[:, None, None, :] * -1e4
        y = (torch.softmax(scores, -1) @ v).permute(0, 2, 1, 3).contiguous()
        x = self.norm1(x + self.o(y.view(x.shape[0], x.shape[1], -1)))
        h = self.up(x)
        h = 0.5 * h * (1.0 + torch.tanh(0.7978845608 * (h + 0.044715 * torch.pow(h, 3.0))))
        return self.norm2(x + self.down(h))


class DenseTail(nn.Module):
    """Batch norm ahead of the convolution (cannot fold), channel concatenation, PReLU, pixel shuffle, padding."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.n1, self.c1 = nn.BatchNorm2d(16), nn.Conv2d(16, 8, 3, padding=1, bias=False)
        self.n2, self.c2 = nn.BatchNorm2d(24), nn.Conv2d(24, 16, 3, bias=False)
        self.prelu = nn.PReLU(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.cat([x, self.c1(F.relu(self.n1(x)))], 1)
        y = self.prelu(self.c2(F.pad(F.relu(self.n2(x)), (1, 1, 1, 1))))
        return F.pixel_shuffle(y, 2)

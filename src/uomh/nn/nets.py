"""Networks between images or vectors and vectors: MLP, CNN, residual; encoders and decoders.

A network may be conditional: it then takes labels y (B,) beside its input, as one-hot vectors (as
constant planes where the input is an image).

An encoder and the decoder that mirrors it share their sizes, and so stand side by side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from uomh.errors import UomhError
from uomh.nn.layers import (
    ACTIVATIONS,
    NetSettings,
    ResidualBlock,
    biased,
    constrained,
    final,
    normalisation,
)
from uomh.settings import Nested, Settings


def resolved_net(settings: NetSettings, shape: tuple[int, ...]) -> str:
    """The kind of network for data of this shape: what the settings say, else by the shape."""
    if settings.net is not None:
        if settings.net != "mlp" and len(shape) != 3:
            raise UomhError(
                f"a {settings.net} network takes images, but the data are vectors of shape "
                f"{shape}; choose net=mlp"
            )
        return settings.net
    small_grey = len(shape) == 3 and shape[0] == 1 and shape[1] * shape[2] <= 28 * 28
    return "mlp" if len(shape) != 3 or small_grey else "cnn"


def convolves(settings: NetSettings, shape: tuple[int, ...]) -> bool:
    """Whether the layers of a cnn leave more than a single pixel of images of this shape."""
    if len(shape) != 3:
        return False
    try:
        sizes = [_sizes(settings, size)[0][-1] for size in shape[1:]]
    except UomhError:
        return False
    return math.prod(sizes) > 1


def nets_by_shape(settings: Settings, shape: tuple[int, ...]) -> Nested:
    """Settings, nested, that make the networks among these settings suit points of this shape.

    A cnn that is chosen by default, and whose layers would leave nothing of an image, becomes an
    mlp.

    >>> class Config(Settings):
    ...     encoder: NetSettings = NetSettings()
    >>> nets_by_shape(Config(), (3, 8, 8)), nets_by_shape(Config(), (3, 32, 32))
    ({'encoder': {'net': 'mlp'}}, {})
    """
    return {
        name: {"net": "mlp"}
        for name, net in settings
        if isinstance(net, NetSettings)
        and resolved_net(net, shape) == "cnn"
        and not convolves(net, shape)
    }


def encoder(
    settings: NetSettings, shape: tuple[int, ...], out_dim: int, num_classes: int = 0
) -> ConditionalNet:
    """A network from points of this shape (and labels) to vectors (B, out_dim)."""
    match resolved_net(settings, shape):
        case "mlp":
            body: nn.Module = _mlp(settings, math.prod(shape) + num_classes, out_dim)
            return ConditionalNet(body, num_classes, planes=False, out_shape=(out_dim,))
        case "cnn":
            body = _cnn_encoder(settings, (shape[0] + num_classes, *shape[1:]), out_dim)
        case _:
            body = _residual_encoder(settings, (shape[0] + num_classes, *shape[1:]), out_dim)
    return ConditionalNet(body, num_classes, planes=True, out_shape=(out_dim,))


def decoder(
    settings: NetSettings, in_dim: int, shape: tuple[int, ...], num_classes: int = 0, maps: int = 1
) -> ConditionalNet:
    """A network from vectors (B, in_dim), and labels, to points (B, maps * C, ...).

    Args:
        settings: the network.
        in_dim: size of the input vectors.
        shape: of one point.
        num_classes: of labels; 0 where the network takes none.
        maps: how many values there are for each coordinate of a point (2: mean and deviation).
    """
    out_shape = (maps * shape[0], *shape[1:])
    match resolved_net(settings, shape):
        case "mlp":
            body: nn.Module = _mlp(settings, in_dim + num_classes, math.prod(out_shape))
        case "cnn":
            body = _cnn_decoder(settings, in_dim + num_classes, out_shape)
        case _:
            body = _residual_decoder(settings, in_dim + num_classes, out_shape)
    return ConditionalNet(body, num_classes, planes=False, out_shape=out_shape)


class ConditionalNet(nn.Module):
    """A network that may take labels beside its input.

    Args:
        body: the network on the joined input.
        num_classes: number of classes, 0 for none.
        planes: join labels to images as constant planes, not to vectors as coordinates.
        out_shape: shape of one output.
    """

    def __init__(
        self, body: nn.Module, num_classes: int, planes: bool, out_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.body = body
        self.num_classes = num_classes
        self.planes = planes
        self.out_shape = out_shape

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Outputs (B, *out_shape) for inputs (B, ...) and labels (B,), where there are any."""
        if not self.planes:
            x = x.flatten(1)
        if self.num_classes:
            if y is None:
                raise UomhError("this model is conditional; give it labels")
            labels = functional.one_hot(y, self.num_classes).to(x.dtype)
            if self.planes:
                labels = labels[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, labels], 1)
        out: Tensor = self.body(x)
        return out.reshape(len(x), *self.out_shape)


def _mlp(settings: NetSettings, in_dim: int, out_dim: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in settings.hidden_dims:
        layers.append(constrained(settings, nn.Linear(in_dim, width)))
        layers += [*normalisation(settings, width), ACTIVATIONS[settings.activation]()]
        in_dim = width
    layers.append(constrained(settings, nn.Linear(in_dim, out_dim)))
    return nn.Sequential(*layers, *final(settings))


def _per_layer(value: int | tuple[int, ...], layers: int, name: str) -> tuple[int, ...]:
    values = (value,) * layers if isinstance(value, int) else value
    if len(values) != layers:
        raise UomhError(f"{name} has {len(values)} entries for {layers} layers; give one for each")
    return values


def _sizes(settings: NetSettings, size: int) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
    """Image sizes before and after each layer of a cnn encoder, its kernels and its strides."""
    layers = len(settings.hidden_channels)
    kernels = _per_layer(settings.kernel_size, layers, "kernel_size")
    strides = _per_layer(settings.stride, layers, "stride")
    sizes = [size]
    for kernel, stride in zip(kernels, strides, strict=True):
        sizes.append((sizes[-1] + 2 * _padding(kernel, stride) - kernel) // stride + 1)
        if sizes[-1] < 1 or sizes[-2] + 2 * _padding(kernel, stride) < kernel:
            raise UomhError(
                f"{layers} layers with kernels {kernels} and strides {strides} leave nothing of "
                f"images of size {size}; use fewer layers or smaller kernels"
            )
    return sizes, kernels, strides


def _padding(kernel: int, stride: int) -> int:
    """No padding at stride 1 (as in the paper); with strides, so that size n becomes n / stride."""
    return 0 if stride == 1 else (kernel - 1) // 2


def _cnn_encoder(settings: NetSettings, shape: tuple[int, ...], out_dim: int) -> nn.Sequential:
    channels, height, width = shape
    heights, kernels, strides = _sizes(settings, height)
    widths, _, _ = _sizes(settings, width)
    layers: list[nn.Module] = []
    for i, out in enumerate(settings.hidden_channels):
        kernel, stride, pixels = kernels[i], strides[i], heights[i + 1] * widths[i + 1]
        padding, bias = _padding(kernel, stride), biased(settings)
        convolution = nn.Conv2d(channels, out, kernel, stride, padding, bias=bias)
        layers.append(constrained(settings, convolution))
        layers += [*normalisation(settings, out, pixels), ACTIVATIONS[settings.activation]()]
        channels = out
    features = channels * heights[-1] * widths[-1]
    return nn.Sequential(
        *layers, nn.Flatten(), constrained(settings, nn.Linear(features, out_dim)), *final(settings)
    )


def _cnn_decoder(settings: NetSettings, in_dim: int, shape: tuple[int, ...]) -> nn.Sequential:
    """The mirror of the encoder that has these channels, kernels and strides in reverse order."""
    kernels = _per_layer(settings.kernel_size, len(settings.hidden_channels), "kernel_size")
    strides = _per_layer(settings.stride, len(settings.hidden_channels), "stride")
    mirrored = settings.model_copy(
        update={
            "hidden_channels": settings.hidden_channels[::-1],
            "kernel_size": kernels[::-1],
            "stride": strides[::-1],
        }
    )
    heights, widths = _sizes(mirrored, shape[1])[0][::-1], _sizes(mirrored, shape[2])[0][::-1]
    channels = settings.hidden_channels
    layers: list[nn.Module] = [
        nn.Linear(in_dim, channels[0] * heights[0] * widths[0]),
        nn.Unflatten(1, (channels[0], heights[0], widths[0])),
    ]
    for i, out in enumerate([*channels[1:], shape[0]]):
        padding = _padding(kernels[i], strides[i])
        # What strided convolution rounded away, transposed convolution must add.
        extra_height, extra_width = (
            sizes[i + 1] - ((sizes[i] - 1) * strides[i] - 2 * padding + kernels[i])
            for sizes in (heights, widths)
        )
        extra, last = (extra_height, extra_width), i == len(channels) - 1
        bias = last or biased(settings)
        layers += [
            ACTIVATIONS[settings.activation](),
            nn.ConvTranspose2d(channels[i], out, kernels[i], strides[i], padding, extra, bias=bias),
        ]
        if not last:
            layers += normalisation(settings, out, heights[i + 1] * widths[i + 1])
    return nn.Sequential(*layers, *final(settings))


def _stage_sizes(settings: NetSettings, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Height and width of images in each stage of a residual encoder."""
    sizes = [(shape[1], shape[2])]
    for _ in settings.layer_channels[1:]:
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


def _residual_encoder(settings: NetSettings, shape: tuple[int, ...], out_dim: int) -> nn.Sequential:
    channels = settings.layer_channels
    pixels = [height * width for height, width in _stage_sizes(settings, shape)]
    layers: list[nn.Module] = [constrained(settings, nn.Conv2d(shape[0], channels[0], 3, 1, 1))]
    for stage in range(len(channels)):
        for block in range(settings.blocks_per_layer):
            before = max(stage - 1, 0) if block == 0 else stage
            change = (channels[before], channels[stage]), (pixels[before], pixels[stage])
            layers.append(ResidualBlock(settings, *change, stride=1 if before == stage else 2))
    return nn.Sequential(
        *layers,
        ACTIVATIONS[settings.activation](),
        nn.Flatten(),
        constrained(settings, nn.Linear(channels[-1] * pixels[-1], out_dim)),
        *final(settings),
    )


def _residual_decoder(settings: NetSettings, in_dim: int, shape: tuple[int, ...]) -> nn.Sequential:
    """The mirror of the encoder with these channels: stages from the innermost outwards."""
    channels = settings.layer_channels[::-1]
    sizes = _stage_sizes(settings, shape)[::-1]
    layers: list[nn.Module] = [
        nn.Linear(in_dim, channels[0] * math.prod(sizes[0])),
        nn.Unflatten(1, (channels[0], *sizes[0])),
    ]
    for stage, out in enumerate(channels):
        if stage:
            layers.append(nn.Upsample(size=sizes[stage]))
        pixels = math.prod(sizes[stage])
        for block in range(settings.blocks_per_layer):
            before = channels[max(stage - 1, 0)] if block == 0 else out
            layers.append(ResidualBlock(settings, (before, out), (pixels, pixels)))
    layers += [ACTIVATIONS[settings.activation](), nn.Conv2d(channels[-1], shape[0], 3, 1, 1)]
    return nn.Sequential(*layers, *final(settings))

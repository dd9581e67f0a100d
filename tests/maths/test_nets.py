import pytest
import torch

from uomh.errors import UomhError
from uomh.nn.layers import NetSettings
from uomh.nn.nets import decoder, encoder

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 30, 27)]
SETTINGS = {
    "mlp": NetSettings(net="mlp"),
    "cnn": NetSettings(net="cnn", hidden_channels=(8, 8, 4)),
    "strided": NetSettings(net="cnn", hidden_channels=(8, 4), kernel_size=4, stride=2),
    "residual": NetSettings(net="residual", layer_channels=(4, 8), blocks_per_layer=1),
    "normed": NetSettings(net="cnn", hidden_channels=(8, 8), norm="batch", activation="gelu"),
    "spectral": NetSettings(net="mlp", hidden_dims=(16,), spectral_norm=True),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_shapes_and_gradients(name, shape, num_classes):
    settings = SETTINGS[name]
    y = torch.tensor([0, 1]) if num_classes else None
    inward = encoder(settings, shape, 5, num_classes)
    outward = decoder(settings, 5, shape, num_classes, maps=2)
    codes = inward(torch.rand(2, *shape), y)
    points = outward(codes, y)
    assert codes.shape == (2, 5)
    assert points.shape == (2, 2 * shape[0], *shape[1:])
    points.square().mean().backward()
    for net in (inward, outward):
        assert all(each.grad is not None for each in net.parameters())


def test_the_label_changes_the_output():
    net = encoder(NetSettings(net="cnn", hidden_channels=(4,)), (1, 8, 8), 3, num_classes=2)
    x = torch.rand(1, 1, 8, 8)
    assert not torch.equal(net(x, torch.tensor([0])), net(x, torch.tensor([1])))
    with pytest.raises(UomhError, match="conditional"):
        net(x)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        (NetSettings(net="cnn"), (12,), "choose net=mlp"),
        (NetSettings(net="cnn", hidden_channels=(4,) * 5), (1, 8, 8), "leave nothing"),
        (NetSettings(net="cnn", kernel_size=(3, 3)), (3, 32, 32), "kernel_size has 2 entries"),
    ],
)
def test_impossible_networks_say_why(settings, shape, message):
    with pytest.raises(UomhError, match=message):
        encoder(settings, shape, 3)

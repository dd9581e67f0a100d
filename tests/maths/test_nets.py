import pytest
import torch
from torch import nn

from uomh.errors import UomhError
from uomh.nn.layers import NetSettings, normalisation
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
        assert all(parameter.grad is not None for parameter in net.parameters())


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


def test_instance_norm_is_torchs_with_its_first_and_second_gradients():
    torch.manual_seed(0)
    (ours,) = normalisation(NetSettings(norm="instance"), 3, pixels=10)
    theirs = nn.InstanceNorm2d(3, affine=True).double()
    theirs.weight.data, theirs.bias.data = torch.randn(2, 3).double().unbind()
    ours.double().load_state_dict(theirs.state_dict())
    x = torch.randn(4, 3, 5, 2).double().requires_grad_()
    direction = torch.randn_like(x)
    results = []
    for norm in (ours, theirs):
        out = norm(x).tanh()
        (slope,) = torch.autograd.grad((out * direction).sum(), x, create_graph=True)
        second = torch.autograd.grad(slope.square().sum() + out.sum(), [x, *norm.parameters()])
        results.append([out, slope, *second])
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected)


SINGLE_VALUES = {
    "cnn, instance": ({"net": "cnn", "norm": "instance"}, (1, 9, 9), "16 channels and 1 pixel"),
    "cnn, group": (
        {"net": "cnn", "norm": "group", "hidden_channels": (8,) * 4},
        (1, 9, 9),
        "8 channels and 1 pixel",
    ),
    "residual, instance": (
        {"net": "residual", "norm": "instance", "layer_channels": (16,) * 4},
        (3, 8, 8),
        "16 channels and 1 pixel",
    ),
    "residual": ({"net": "residual", "layer_channels": (8,) * 4}, (3, 8, 8), "8 channels and 1"),
    "mlp, group": ({"hidden_dims": (16, 8), "norm": "group"}, (5,), "8 coordinates"),
    "mlp, instance": ({"hidden_dims": (1,), "norm": "instance"}, (5,), "1 coordinates"),
}


@pytest.mark.parametrize("name", SINGLE_VALUES)
def test_a_norm_of_single_values_is_refused_when_the_network_is_built(name):
    settings, shape, layer = SINGLE_VALUES[name]
    with pytest.raises(UomhError, match=f"leaves nothing of a layer of {layer}"):
        encoder(NetSettings(**settings), shape, 3)
    if not name.startswith("cnn"):  # whose decoder has no norm at its innermost pixel
        with pytest.raises(UomhError, match=f"leaves nothing of a layer of {layer}"):
            decoder(NetSettings(**settings), 3, shape)


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_norms_of_several_values_depend_on_the_input(norm):
    settings = NetSettings(net="residual", layer_channels=(8, 16), norm=norm)
    x = torch.rand(2, 3, 4, 4)
    codes = encoder(settings, (3, 4, 4), 2)(x)
    assert not torch.allclose(codes[0], codes[1])

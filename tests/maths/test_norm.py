import pytest
import torch
from torch import nn

from uomh.errors import UomhError
from uomh.nn.norm import InstanceNorm


def test_instance_norm_is_torchs_with_its_first_and_second_gradients():
    torch.manual_seed(0)
    ours, theirs = InstanceNorm(3).double(), nn.InstanceNorm2d(3, affine=True).double()
    theirs.weight.data, theirs.bias.data = torch.randn(2, 3).double().unbind()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 3, 5, 2).double().requires_grad_()
    direction = torch.randn_like(x)
    results = []
    for norm in (ours, theirs):
        out = norm(x).tanh()
        (slope,) = torch.autograd.grad((out * direction).sum(), x, create_graph=True)
        second = torch.autograd.grad(slope.square().sum() + out.sum(), [x, *norm.parameters()])
        results.append([out, slope, *second])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other)


def test_second_gradients_are_right_by_differences():
    norm = InstanceNorm(2, eps=0.1).double()
    x = torch.randn(2, 2, 3, 1).double().requires_grad_()
    assert torch.autograd.gradgradcheck(norm, x)


def test_one_pixel_says_why_not():
    with pytest.raises(UomhError, match="single pixel"):
        InstanceNorm(2)(torch.randn(3, 2, 1, 1))

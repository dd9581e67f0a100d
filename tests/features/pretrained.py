"""Seeded weights of the right shapes, for where none can be downloaded."""

import math

import torch


def random_weights(network, seed=0):
    """A state_dict with variances such that signals keep their size through rectified layers."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in network.state_dict().items():
        if not value.is_floating_point() or name.endswith("running_mean"):
            state[name] = torch.zeros_like(value)
        elif name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight")):
            state[name] = torch.ones_like(value)
        else:
            fan_in = value[0].numel() if value.dim() > 1 else 100
            deviation = math.sqrt(2 / fan_in)
            state[name] = deviation * torch.randn(value.shape, generator=generator)
    return state

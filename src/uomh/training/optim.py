"""Optimisers and schedules: settings to torch optimisers, progress to learning rates."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable
from typing import TypeVar, cast

import torch
from torch.nn import Parameter
from torch.optim import SGD, Adam, Optimizer, RMSprop

from uomh.config import OptimizerConfig

Opt = TypeVar("Opt", bound=Optimizer)


def learning_rate(config: OptimizerConfig, epoch: float, max_epochs: int) -> float:
    """The learning rate after so many epochs (a fraction counts steps within an epoch).

    Examples:
        >>> config = OptimizerConfig(lr=1.0, schedule="cosine")
        >>> [learning_rate(config, epoch, 10) for epoch in (0, 5, 10)]
        [1.0, 0.5, 0.0]
        >>> config = OptimizerConfig(lr=1.0, schedule="step", lr_step=2, gamma=0.5)
        >>> [learning_rate(config, epoch, 10) for epoch in (0, 1.9, 2, 4)]
        [1.0, 1.0, 0.5, 0.25]
        >>> at = {"schedule": "milestones", "milestones": (0.3, 0.6), "gamma": 0.5}
        >>> config = OptimizerConfig(lr=1.0, **at)
        >>> [learning_rate(config, epoch, 10) for epoch in (0, 2.9, 3, 6)]
        [1.0, 1.0, 0.5, 0.25]
    """
    match config.schedule:
        case "constant":
            return config.lr
        case "cosine":
            return config.lr * (0.5 + 0.5 * math.cos(math.pi * epoch / max_epochs))
        case "step":
            return config.lr * config.gamma ** math.floor(epoch / config.lr_step)
        case "milestones":
            # A share of the epochs that is a whole number but for rounding is that number.
            passed = sum(epoch >= share * max_epochs - 1e-6 for share in config.milestones)
            return config.lr * config.gamma**passed


def build_optimizer(config: OptimizerConfig, parameters: Iterable[Parameter]) -> Optimizer:
    """The optimiser, in its fused form where there is one."""
    lr, decay, momentum = config.lr, config.weight_decay, config.momentum
    match config.optimizer:
        case "adam":
            adam = _uncompiled(Adam)
            return adam(parameters, lr, betas=config.betas, weight_decay=decay, fused=True)
        case "sgd":
            sgd = _uncompiled(SGD)
            return sgd(parameters, lr, momentum=momentum, weight_decay=decay, fused=True)
        case "rmsprop":
            rmsprop = _uncompiled(RMSprop)
            return rmsprop(parameters, lr, momentum=momentum, weight_decay=decay)


def _uncompiled(optimizer: type[Opt]) -> type[Opt]:
    """An optimiser without the wrappers that keep torch's compiler out of its methods.

    They import the compiler, which takes a second, and nothing here is compiled.
    """
    wrapped = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in wrapped}
    methods["step"] = torch.no_grad()(inspect.unwrap(optimizer.step))
    return cast(type[Opt], type(optimizer.__name__, (optimizer,), methods))

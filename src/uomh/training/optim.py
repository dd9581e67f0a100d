"""Optimisers and schedules: settings to torch optimisers, progress to learning rates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field
from torch.nn import Parameter

from uomh.settings import Settings

Schedule = Literal["constant", "cosine", "step"]


class OptimizerConfig(Settings):
    """An optimiser and the schedule of its learning rate."""

    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    """which optimiser"""
    lr: float = Field(1e-3, gt=0)
    """learning rate at the start"""
    schedule: Schedule = "constant"
    """constant; cosine: to zero over the run; step: times gamma every lr_step epochs"""
    lr_step: int = Field(30, ge=1)
    """step schedule: epochs between two decays"""
    gamma: float = Field(0.1, gt=0)
    """step schedule: factor of a decay"""
    betas: tuple[float, float] = (0.9, 0.999)
    """adam: decay of the running moments"""
    momentum: float = Field(0.0, ge=0)
    """sgd and rmsprop: momentum"""
    weight_decay: float = Field(0.0, ge=0)
    """weight decay (L2)"""
    max_grad_norm: float | None = Field(10.0, gt=0)
    """clip the norm of a group's gradient here; null: never"""


def learning_rate(config: OptimizerConfig, epoch: float, max_epochs: int) -> float:
    """The learning rate after so many epochs (a fraction counts steps within an epoch).

    Examples:
        >>> config = OptimizerConfig(lr=1.0, schedule="cosine")
        >>> [learning_rate(config, epoch, 10) for epoch in (0, 5, 10)]
        [1.0, 0.5, 0.0]
        >>> config = OptimizerConfig(lr=1.0, schedule="step", lr_step=2, gamma=0.5)
        >>> [learning_rate(config, epoch, 10) for epoch in (0, 1.9, 2, 4)]
        [1.0, 1.0, 0.5, 0.25]
    """
    match config.schedule:
        case "constant":
            return config.lr
        case "cosine":
            return config.lr * (0.5 + 0.5 * math.cos(math.pi * epoch / max_epochs))
        case "step":
            return config.lr * config.gamma ** math.floor(epoch / config.lr_step)


def build_optimizer(
    config: OptimizerConfig, parameters: Iterable[Parameter]
) -> torch.optim.Optimizer:
    """The optimiser, in its fused form where there is one."""
    lr, decay, momentum = config.lr, config.weight_decay, config.momentum
    match config.optimizer:
        case "adam":
            return torch.optim.Adam(
                parameters, lr, betas=config.betas, weight_decay=decay, fused=True
            )
        case "sgd":
            return torch.optim.SGD(
                parameters, lr, momentum=momentum, weight_decay=decay, fused=True
            )
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr, momentum=momentum, weight_decay=decay)

"""A model whose likelihood is known in closed form, to hold the contracts against."""

import math

import torch
from torch import nn

from uomh.models.leaf import Model
from uomh.models.trainable import ModelConfig
from uomh.registry import register


@register("models", "gaussian")
class Gaussian(Model):
    """A Gaussian with diagonal covariance, for tests."""

    likelihood = "exact"

    class Config(ModelConfig):
        pass

    def __init__(self, config, spec):
        super().__init__(config, spec)
        self.mean = nn.Parameter(torch.zeros(max(self.num_classes, 1), spec.dim))
        self.log_std = nn.Parameter(torch.zeros(max(self.num_classes, 1), spec.dim))

    def log_density(self, x, y):
        z, log_det = self.preprocess(x)
        k = torch.zeros(len(x), dtype=torch.long) if y is None else y
        standard = (z.flatten(1) - self.mean[k]) * (-self.log_std[k]).exp()
        terms = 0.5 * (standard.square() + math.log(2 * math.pi)) + self.log_std[k]
        return log_det - terms.sum(1)

    def draw(self, n, y):
        k = torch.zeros(n, dtype=torch.long) if y is None else y
        z = self.mean[k] + self.log_std[k].exp() * torch.randn(n, self.spec.dim, device=self.device)
        return self.transform.inverse(z.reshape(n, *self.spec.shape))

"""Train a model on data in memory, with the defaults for their shape."""

import torch

import uomh
from uomh import registry
from uomh.config import RunConfig
from uomh.settings import merged, parse_overrides


def fitted(name, data, overrides=(), seed=0):
    by_shape = registry.load("models", name).Config.defaults(data.spec)
    given = parse_overrides(RunConfig, overrides, {"model": name})
    base = {"model": {"name": name}, "threads": 1, "seed": seed}
    config = RunConfig.of(merged(by_shape, base, given))
    model = uomh.fit(uomh.build(config, data), data, config)
    torch.manual_seed(seed)
    return model

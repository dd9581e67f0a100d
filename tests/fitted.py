"""Train a model on data in memory, with the defaults for their shape."""

import torch

import uomh
from uomh import registry
from uomh.config import RunConfig
from uomh.settings import parse_overrides


def fitted(name, data, overrides=(), seed=0):
    given = parse_overrides(RunConfig, overrides, {"model": name})
    train = given.pop("train", {})
    model = registry.load("models", name).complete(
        {"name": name, **given.pop("model", {})}, data.spec, train
    )
    config = RunConfig.of({"threads": 1, "seed": seed, "model": model, **given})
    model = uomh.fit(uomh.build(config, data), data, config)
    torch.manual_seed(seed)
    return model

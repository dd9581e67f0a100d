"""Settings that take other paths through the models than the defaults do, on a simulated device."""

import pytest
import torch

from tests.contract.test_models import QUICK, data_of
from tests.device.simulated import simulated
from uomh import registry
from uomh.metrics import Evaluation, evaluate
from uomh.models import arm
from uomh.settings import merged
from uomh.training import TrainConfig, Trainer

LEARNED = {"prior": {"kind": "completely_learned_mixture_of_gaussians", "components": 3}}
RESIDUAL = {"net": "residual", "hidden_channels": [4], "norm": "group"}
VARIANTS = {
    "vae, learned prior, pixels": ("vae", {**LEARNED, "decoder_sigma": "per_pixel"}),
    "vae, residual": ("vae", {"encoder": RESIDUAL, "decoder": RESIDUAL, "importance_samples": 2}),
    "vae, logit": ("vae", {"logit_transform": True}),
    "wae, mmd": ("wae", {"penalty": "mmd", **LEARNED}),
    "wae, slope": ("wae", {"slope_penalty": 1.0}),
    "bigan, logistic": ("bigan", {"critic": {"objective": "logistic"}, **LEARNED}),
    "gan, clamped": ("gan", {"critic": {"constraint": "clamp", "spectral_norm": True}}),
    "flow, autoregressive": ("flow", {"transform": "autoregressive", "num_layers": 1}),
    "flow, multiscale": ("flow", {"transform": "multiscale", "num_layers": 1, **LEARNED}),
    "flow matching, unet": (
        "flow_matching",
        {"net": "unet", "channels": [4], "blocks": 1, "tolerance": 0.5},
    ),
    "flow matching, paired": (
        "flow_matching",
        {"net": "mlp", "optimal_transport": True, "tolerance": 0.5},
    ),
    "ebm, constant": ("ebm", {"ais_chains": 4, "ais_temperatures": 5, "sample_from": "noise"}),
    "arm, fast": ("arm", {"train_precision": "bfloat16", "hidden_size": 8}),
    "arm, segments": ("arm", {"hidden_size": 8}),
}
READS = {"flow matching, paired"}
"""variants whose steps read the device: an assignment problem is solved on the processor"""


@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_beside_the_defaults(variant, monkeypatch):
    name, settings = VARIANTS[variant]
    data, whole = data_of((1, 8, 8), n=16), variant != "arm, segments"
    if not whole:
        monkeypatch.setattr(arm, "is_large", lambda dim: True)
        monkeypatch.setattr(arm, "SEGMENT", 20)
    cls, reads = registry.load("models", name), []
    with simulated("mps", monkeypatch) as device:
        for batch_size in (8, 4):
            config = merged({"conditional": whole}, QUICK.get(name, {}), settings)
            model = cls(cls.Config.of(config), data.spec)
            device.reads.clear()
            train = TrainConfig(max_epochs=1, batch_size=batch_size, optimizer="rmsprop")
            Trainer(train, device="mps").fit(model, data)
            reads.append(len(device.reads))
        assert (reads[0] < reads[1]) == (variant in READS)
        with torch.no_grad():
            drawn = model.sample(3)
        assert drawn.device == device.device
        if model.likelihood and name != "flow_matching":  # whose density takes long
            values = evaluate(["log_likelihood"], Evaluation(model, data, data.test[:2]))
            assert values["log_likelihood"].value is not None, values["log_likelihood"].reason

"""Two models trained in turns, looked at on the way; parts with a U-Net made to cost one model."""

import pytest

import uomh
from uomh.data import DataSpec
from uomh.errors import UomhError
from uomh.models.flow import Flow
from uomh.models.joint import Joint
from uomh.models.vae import VAE
from uomh.nn.priors import PriorSettings
from uomh.training import TrainConfig, Trainer


@pytest.mark.parametrize("alternate", ["step", "epoch"])
@pytest.mark.parametrize("conditional", [False, True])
def test_a_grid_of_samples_while_two_models_train_in_turns(
    digits, tmp_path, alternate, conditional
):
    vae = VAE(VAE.Config(latent_dim=2), digits.spec)
    codes = DataSpec((2,), None, digits.spec.num_classes)
    flow = Flow(Flow.Config(num_layers=1, hidden_units=8, conditional=conditional), codes)
    config = TrainConfig(max_epochs=2, sample_every=1, valid_metrics=())
    Trainer(config, folder=tmp_path).fit(Joint(vae, flow, alternate), digits)
    assert (tmp_path / "samples.png").is_file()


def test_a_vae_refuses_a_prior_that_no_posterior_fits_in():
    with pytest.raises(UomhError, match=r"choose another prior\.kind"):
        VAE(VAE.Config(prior=PriorSettings(kind="uniform")), DataSpec((5,), None, 0))


@pytest.mark.parametrize(
    "model",
    [
        {"name": "flow_matching", "net": "unet", "channels": [16, 32]},
        {"name": "flow_matching", "net": "mlp"},
        {"name": "arm"},
        {"name": "gan", "critic": {"hidden_dims": [64]}},
    ],
    ids=lambda model: f"{model['name']}-{model.get('net')}",
)
def test_parts_of_any_network_shrink_to_the_parameters_of_one_model(digits, model):
    def size(composition):
        config, _ = uomh.resolve(values={"model": composition, "threads": 1})
        built = uomh.build(config, digits)
        return sum(parameter.numel() for parameter in built.parameters())

    one = size(model)
    together = size({"name": "disconnected", "part": model, "match": "parameters"})
    assert 0.8 * one < together <= one

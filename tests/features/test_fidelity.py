"""Inception's features by our path and by torch-fidelity's command; docs/evaluation.md says how.

DATA_ROOT=data python -m pytest -m inception tests/features/test_fidelity.py
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import uomh
from tests.features.pretrained import random_weights
from uomh.features import build_extractor, extractor_settings

pytestmark = [pytest.mark.inception, pytest.mark.timeout(7200)]
pytest.importorskip("torch_fidelity")
DATA_ROOT = os.environ.get("DATA_ROOT", "data")
IMAGES = 1000


def directly(a, b):
    """|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), the last by singular values, in float64."""
    a, b = (features.double().numpy() for features in (a, b))
    centred = [(x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    both = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum(np.square(x).sum() for x in centred)
    return np.square(a.mean(0) - b.mean(0)).sum() + spread - 2 * both


def save_images(folder, images):
    folder.mkdir()
    for i, image in enumerate(images):
        pixels = image.permute(1, 2, 0).squeeze(-1).numpy()
        Image.fromarray(pixels).save(folder / f"{i:05}.png")


@pytest.mark.skipif(not Path(DATA_ROOT, "cifar10").exists(), reason="no CIFAR-10 in DATA_ROOT")
def test_fid_on_cifar10_is_that_of_torch_fidelitys_command(tmp_path):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    assert FEATURE_EXTRACTORS_REGISTRY["inception-v3-compat"] is FeatureExtractorInceptionV3
    data = uomh.load_data("cifar10", data_root=DATA_ROOT)
    images = data.train.x[:IMAGES]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    noisy = (images + 40 * noise).round().clamp(0, 255).to(torch.uint8)
    weights = tmp_path / "inception.pth"
    torch.save(random_weights(unread(FeatureExtractorInceptionV3)), weights)

    extractor = build_extractor("inception", data, weights=str(weights))
    ours = directly(*(extractor.extract(x, data.levels) for x in (images, noisy)))

    for name, x in {"real": images, "noisy": noisy}.items():
        save_images(tmp_path / name, x)
    words = [Path(sys.executable).with_name("fidelity"), "--fid", "--cpu", "--json", "--no-cache"]
    words += ["--input1", tmp_path / "real", "--input2", tmp_path / "noisy", "--silent"]
    words += ["--feature-extractor-weights-path", weights]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)["frechet_inception_distance"]
    print(f"ours {ours!r}, torch-fidelity {theirs!r}")
    assert ours == pytest.approx(theirs, rel=1e-5)


def unread(cls, *arguments):
    """A network of torch-fidelity before it reads weights, which it would download."""
    from unittest.mock import patch

    with patch.object(cls, "load_state_dict"), patch("torch.load"):
        return cls("inception-v3-compat", ["2048"], feature_extractor_weights_path="none")


def test_dinov2_stands_between_torch_fidelitys_resizing_and_our_transformer(tmp_path):
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x,
    )

    from uomh.nn.vit import VisionTransformer

    network = VisionTransformer(384, 12).eval()
    network.load_state_dict(random_weights(network))
    weights = tmp_path / "dinov2.pth"
    torch.save(network.state_dict(), weights)
    data = uomh.load_data("digits")
    settings = extractor_settings("dinov2", str(weights)).model_copy(update={"size": "s"})
    found = build_extractor(settings, data).extract(data.test.x[:2], data.levels)
    x = (data.test.x[:2].float() * 255 / 16).round().expand(-1, 3, -1, -1)
    x = interpolate_bilinear_2d_like_tensorflow1x(x, size=(224, 224), align_corners=False)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    with torch.no_grad():
        expected = network((x / 255 - mean[:, None, None]) / deviation[:, None, None])
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(
        uomh.UomhError, match="does not hold the weights of dinov2 of size l: Missing"
    ):
        build_extractor("dinov2", data, weights=str(weights))


def test_weights_of_another_network_are_refused_in_a_sentence(tmp_path):
    weights = tmp_path / "weights.pth"
    torch.save({"fc.weight": torch.ones(3)}, weights)
    with pytest.raises(uomh.UomhError, match="does not hold the weights of inception: Missing key"):
        build_extractor("inception", uomh.load_data("digits"), weights=str(weights))

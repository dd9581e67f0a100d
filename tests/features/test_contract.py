"""Every extractor: finite float32 vectors, one for each point, the same again; bad input."""

import types

import numpy as np
import pytest
import torch

import uomh
from tests.features.pretrained import random_weights
from uomh import registry
from uomh.data import Data, Split
from uomh.errors import UomhError
from uomh.features import Extractor, build_extractor, extractor_settings
from uomh.features.core import checked_features

MINE = """
import torch

def flat(x):
    return x.flatten(1).double()

def scribbles(x):
    x.zero_()
    return torch.ones(len(x), 2)

def random(x):
    return torch.rand(len(x), 3)

def images(x):
    return x.float()

def missing(x):
    return x.flatten(1).float() * float("nan")

def fewer(x):
    return x.flatten(1)[:-1]

def one(x):
    return x.float().mean()

def words(x):
    return ["a"] * len(x)

def fails(x):
    raise ValueError("no such thing")

def growing(x):
    return torch.ones(len(x), len(x))

network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2), torch.nn.Dropout())
network.forward = lambda x: torch.nn.Sequential.forward(network, x.float())
number = 3
"""


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UOMH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("extractors")
    (folder / "mine.py").write_text(MINE)
    small = ["data.limit=40", "train.max_epochs=1"]
    for model in ("ae", "arm"):
        values = {"model": {"name": model}}
        uomh.train(*uomh.resolve(values=values, overrides=small), folder / model)
    return folder


@pytest.fixture(scope="module", params=["classifier", "pixels", "run", "flat", "network"])
def extractor(request, folder, digits):
    name = request.param
    texts = {"run": f"run:{folder}/ae"} | {f: f"{folder}/mine.py:{f}" for f in ("flat", "network")}
    return build_extractor(texts.get(name, name), digits)


def test_one_finite_vector_for_each_point(extractor, digits):
    x, before = digits.test.x, digits.test.x.clone()
    seen = []
    features = extractor.extract(x, digits.levels, seen.append)
    assert features.dtype == torch.float32
    assert features.dim() == 2
    assert len(features) == len(x) == sum(seen)
    assert features.isfinite().all()
    assert not features.requires_grad
    assert torch.equal(x, before)


def test_features_are_a_function_of_points(extractor, digits):
    state = torch.random.get_rng_state()
    all_at_once = extractor.extract(digits.test.x, digits.levels)
    assert torch.equal(extractor.extract(digits.test.x, digits.levels), all_at_once)
    small = type(extractor)(extractor.config.model_copy(update={"batch_size": 7}), digits)
    found = small.extract(digits.test.x, digits.levels)
    assert torch.allclose(found, all_at_once, rtol=1e-4, atol=1e-5)
    assert small.key == extractor.key
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_is_no_point_of_the_data_is_refused(extractor, digits):
    x, levels = digits.test.x, digits.levels
    for wrong, of, message in (
        (x.float(), levels, "takes uint8 images; these are float32.*to grey levels first"),
        (x[:, :, :7], levels, r"images of shape \(1, 8, 8\).*these are uint8 of shape"),
        (x[:0], levels, "there is no point"),
        (x, 256, "is for data of 17 grey levels, not 256"),
        (x + 10, levels, "values 0 to 16; there is a value 26"),
    ):
        with pytest.raises(UomhError, match=message):
            extractor.extract(wrong, of)


def test_all_are_listed_and_derived_from_the_contract():
    names = set(registry.entries("extractors"))
    assert names == {"classifier", "dinov2", "function", "inception", "pixels", "run"}
    for name in names:
        assert issubclass(registry.load("extractors", name), Extractor)


def test_pixels_are_the_points(vectors, digits):
    found = build_extractor("pixels", digits).extract(digits.test.x, 17)
    assert torch.equal(found, digits.test.x.flatten(1) / 16)
    assert torch.equal(
        build_extractor("pixels", vectors).extract(vectors.test.x, None), vectors.test.x
    )


def test_codes_of_a_run_are_its_features(folder, digits):
    model = uomh.load_run(folder / "ae").model
    found = build_extractor(f"run:{folder}/ae", digits).extract(digits.test.x, 17)
    with torch.no_grad():
        assert torch.allclose(found, model.encode(digits.test.x), atol=1e-5)


@pytest.mark.parametrize("name", ["classifier", "pixels"])
def test_vectors_have_features_and_must_be_finite(name, vectors):
    extractor = build_extractor(name, vectors)
    assert len(extractor.extract(vectors.test.x, None)) == len(vectors.test)
    wrong = vectors.test.x.clone()
    wrong[5, 1] = float("nan")
    with pytest.raises(UomhError, match="not finite, the first in row 5"):
        extractor.extract(wrong, None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("images", r"gave images of shape \(60, 1, 8, 8\) for 60 points; .*one vector for each"),
        ("missing", "not finite for 60 of 60 points, the first in row 0"),
        ("fewer", "gave 59 rows of features for 60 points"),
        ("one", r"gave values of shape \(\) for 60 points; features are \(n, F\)"),
        ("words", "gave a list; features are numbers"),
        ("fails", "failed on points of shape .*ValueError: no such thing"),
        ("number", "is no function of points but a value"),
        ("absent", "has no 'absent'"),
    ],
)
def test_a_function_that_gives_no_features_is_told_so(name, message, folder, digits):
    with pytest.raises(UomhError, match=message):
        build_extractor(f"{folder}/mine.py:{name}", digits).extract(digits.test.x, 17)


def test_batches_must_agree_in_the_number_of_features(folder, digits):
    extractor = build_extractor(f"{folder}/mine.py:growing", digits)
    with pytest.raises(UomhError, match="128 features for the first points and 72 from row 256"):
        extractor.extract(digits.train.x.repeat(2, 1, 1, 1)[:328], 17)


def test_a_function_cannot_change_the_points_nor_be_random(folder, digits):
    before = digits.test.x.clone()
    build_extractor(f"{folder}/mine.py:scribbles", digits).extract(digits.test.x, 17)
    assert torch.equal(digits.test.x, before)
    drawn = build_extractor(f"{folder}/mine.py:random", digits)
    assert torch.equal(drawn.extract(before, 17), drawn.extract(before, 17))


@pytest.mark.parametrize(
    "given",
    [np.ones((2, 3), np.float16), np.ones((2, 3), int), torch.ones(2, 3).to_sparse()],
    ids=["float16", "int", "sparse"],
)
def test_numbers_of_any_type_are_features(given):
    assert torch.equal(checked_features(given, 2, "mine"), torch.ones(2, 3))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.array([["a"], ["b"]]), "gave a ndarray of <U1"),
        (torch.ones(2, 3, dtype=torch.complex64), "gave a Tensor of torch.complex64"),
        (torch.ones(2, 0), "gave no features"),
        (torch.full((2, 1), 1e300, dtype=torch.float64), "not finite for 2 of 2"),
        (None, "gave a NoneType"),
    ],
)
def test_what_is_no_features(given, message):
    with pytest.raises(UomhError, match=message):
        checked_features(given, 2, "mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clasifier", "unknown extractor 'clasifier'; did you mean 'classifier'"),
        ("run", "say which, run:PATH"),
        ("run:nowhere", "there is no run in"),
        ("run:{folder}/arm", "its model has no codes"),
        ("function", "say which, module:function or file.py:function"),
        ("no_such_module:f", "module 'no_such_module' cannot be imported"),
        ("{folder}/none.py:f", "there is no file"),
        ("uomh.text:shown:", "unknown extractor"),
    ],
)
def test_what_is_no_extractor_is_said(text, message, folder, digits):
    with pytest.raises(UomhError, match=message):
        build_extractor(text.format(folder=folder), digits)


def test_an_extractor_of_a_file_is_one_like_any(folder, digits):
    (folder / "own.py").write_text(
        "from uomh.features import Extractor\n"
        "class Corner(Extractor):\n"
        "    def state(self):\n        return ''\n"
        "    def features(self, x, levels):\n        return x[:, 0, :2, 0]\n"
    )
    extractor = build_extractor(f"{folder}/own.py:Corner", digits)
    assert extractor.extract(digits.test.x, 17).shape == (len(digits.test), 2)


def test_a_run_of_other_data_is_refused(folder, vectors):
    with pytest.raises(UomhError, match=r"is for points of shape \(1, 8, 8\)"):
        build_extractor(f"run:{folder}/ae", vectors)


def test_keys_follow_what_features_rest_on(folder, digits):
    def key(text):
        return build_extractor(text, digits).key

    file = folder / "changing.py"
    file.write_text("def f(x):\n    return x.flatten(1)\n")
    first = key(f"{file}:f")
    assert first == key(f"{file}:f")
    file.write_text("def f(x):\n    return x.flatten(1) + 1\n")
    assert key(f"{file}:f") != first
    assert len({key("pixels"), key("classifier"), key(f"run:{folder}/ae"), first}) == 4


def test_paths_in_settings_are_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert extractor_settings("run:ae").path == str(folder / "ae")
    assert extractor_settings("mine.py:flat").target == f"{folder}/mine.py:flat"
    assert extractor_settings("inception", "w.pth").weights == str(folder / "w.pth")
    with pytest.raises(UomhError, match="--feature-weights is for inception and dinov2; pixels"):
        extractor_settings("pixels", "w.pth")


@pytest.mark.parametrize("name", ["inception", "dinov2"])
def test_a_missing_extra_is_named_with_its_installation(name, digits, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_fidelity", None)
    with pytest.raises(UomhError, match=r"cannot be imported; install them by pip install 'uomh"):
        build_extractor(name, digits)
    with pytest.raises(UomhError, match="there is no file of weights"):
        build_extractor(name, digits, weights="none.pth")


@pytest.mark.parametrize("name", ["inception", "dinov2"])
def test_pretrained_networks_take_grey_and_colour_images_alone(name, vectors):
    with pytest.raises(UomhError, match="takes grey or colour images"):
        build_extractor(name, vectors)
    x = torch.zeros(4, 2, 8, 8, dtype=torch.uint8)
    two = Data("two", Split(x), Split(x[:0]), Split(x[:0]), (), 256, "two")
    with pytest.raises(UomhError, match="takes grey or colour images"):
        build_extractor(name, two)


class Small(torch.nn.Module):
    """In place of torch-fidelity's networks: the mean of each channel, and what it was given."""

    def __init__(self, name="", features_list=(), feature_extractor_weights_path=None):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(3))
        if feature_extractor_weights_path is None:
            raise OSError("no network")
        self.load_state_dict(torch.load(feature_extractor_weights_path))

    def forward(self, x):
        assert x.dtype == torch.uint8
        return (self.scale * x.float().mean((2, 3)),)


@pytest.fixture
def small(monkeypatch):
    module = types.ModuleType("inception")
    module.FeatureExtractorInceptionV3 = module.FeatureExtractorDinoV2 = Small
    for name in ("inceptionv3", "dinov2"):
        full = f"torch_fidelity.feature_extractor_{name}"
        monkeypatch.setitem(__import__("sys").modules, full, module)
    monkeypatch.setitem(__import__("sys").modules, "torch_fidelity", types.ModuleType("fidelity"))


def test_weights_come_from_a_file_and_grey_is_repeated_in_8_bits(small, digits, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"scale": torch.tensor([1.0, 2.0, 3.0])}, path)
    extractor = build_extractor("inception", digits, weights=str(path))
    found = extractor.extract(digits.test.x, 17)
    grey = (digits.test.x.float() * (255 / 16)).round().flatten(1).mean(1)
    assert torch.allclose(found, grey[:, None] * torch.tensor([1.0, 2.0, 3.0]), rtol=1e-5)
    torch.save({"scale": torch.ones(3)}, path)
    assert build_extractor("inception", digits, weights=str(path)).key != extractor.key


@pytest.mark.parametrize("name", ["inception", "dinov2"])
def test_weights_that_cannot_be_had_are_named(name, small, digits, tmp_path):
    with pytest.raises(UomhError, match=r"cannot be downloaded \(no network\); give a file"):
        build_extractor(name, digits)
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights")
    with pytest.raises(UomhError, match="holds no weights"):
        build_extractor(name, digits, weights=str(path))
    torch.save({"scale": torch.ones(4)}, path)
    with pytest.raises(UomhError, match=f"does not hold the weights of {name}"):
        build_extractor(name, digits, weights=str(path))


def test_dinov2_reads_its_published_names(small, digits, tmp_path, monkeypatch):
    from uomh.features import fidelity
    from uomh.nn.vit import VisionTransformer

    monkeypatch.setitem(fidelity.DINOV2, "l", (64, 1))
    network = VisionTransformer(64, 1)
    names = set(network.state_dict())
    assert {"cls_token", "pos_embed", "mask_token", "patch_embed.proj.weight"} <= names
    assert {"blocks.0.attn.qkv.weight", "blocks.0.ls1.gamma", "blocks.0.mlp.fc2.bias"} <= names
    path = tmp_path / "weights.pth"
    torch.save(random_weights(network), path)
    monkeypatch.setattr(Small, "forward", lambda self, x: (self.model(x.float() / 255),))
    images = Data(
        "big", *[Split(torch.randint(0, 256, (3, 3, 28, 28), dtype=torch.uint8))] * 3, (), 256, "b"
    )
    found = build_extractor("dinov2", images, weights=str(path)).extract(images.test.x, 256)
    assert found.shape == (3, 64)
    assert found.std(0).max() > 0

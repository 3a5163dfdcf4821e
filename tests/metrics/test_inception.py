import numpy as np
import pytest
import torch
from feature_nets import FEATURES, Trunk, save_network
from PIL import Image

from growgan.core.errors import ConfigError, ModelError, OutOfMemory
from growgan.metrics import inception
from growgan.metrics.inception import FeatureNetwork, resize


def pictures(n, size=16, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, channels, size, size)).astype(np.uint8)


@pytest.mark.parametrize("size", [4, 64, 299, 512])
def test_clean_is_pillows_bicubic_in_floats(size):
    plane = pictures(1, size)[0, 0].astype(np.float32)
    expected = np.asarray(Image.fromarray(plane).resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255)
    found = resize(torch.from_numpy(plane)[None, None], "clean")[0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("size", [4, 64, 299, 512])
def test_legacy_is_tensorflows_bilinear(size):
    """Output i looks at i * size / 299, with neither half pixels nor smoothing."""
    image = torch.from_numpy(pictures(1, size)).double()
    at = np.arange(299) * size / 299
    low = at.astype(int)
    high, share = np.minimum(low + 1, size - 1), torch.from_numpy(at - low)
    rows = image[:, :, low] * (1 - share[:, None]) + image[:, :, high] * share[:, None]
    expected = rows[..., low] * (1 - share) + rows[..., high] * share
    torch.testing.assert_close(resize(image, "legacy"), expected)


def test_a_picture_of_the_right_size_stays():
    image = torch.from_numpy(pictures(1, 299)).float()
    for protocol in inception.PROTOCOLS:
        torch.testing.assert_close(resize(image, protocol), image)


@pytest.mark.parametrize("kind", ["features", "logits", "switched"])
def test_every_kind_of_file_gives_the_same_features(tmp_path, kind):
    network = FeatureNetwork(save_network(tmp_path / "net.pt", kind), "legacy")
    images = pictures(3)
    found = network.features(images)
    expected = Trunk()((resize(torch.from_numpy(images).float(), "legacy") - 128) / 128)
    assert found.shape == (3, FEATURES)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert network.has_classes == (kind != "features")
    if network.has_classes:
        torch.testing.assert_close(network.probabilities(images), expected[:, :7].softmax(1), atol=1e-5, rtol=1e-5)


def test_channels_last_changes_nothing(tmp_path):
    path = save_network(tmp_path / "net.pt")
    plain = FeatureNetwork(path, "legacy").features(pictures(3))
    found = FeatureNetwork(path, "legacy", layout=torch.channels_last).features(pictures(3))
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)


def test_vgg_gets_pictures_as_they_are(tmp_path):
    network = FeatureNetwork(save_network(tmp_path / "vgg.pt", "switched"), None)
    images = pictures(2, 32)
    torch.testing.assert_close(network.features(images), Trunk()((torch.from_numpy(images).float() - 128) / 128))
    assert network.name.startswith("vgg16:")


def test_grey_is_three_equal_colours_and_read_only_pixels_are_taken(tmp_path):
    network = FeatureNetwork(save_network(tmp_path / "net.pt"), "legacy")
    grey = pictures(2, channels=1)
    grey.setflags(write=False)
    torch.testing.assert_close(network.features(grey), network.features(grey.repeat(3, 1)))


def test_the_name_tells_networks_and_resizing_apart(tmp_path, monkeypatch):
    path = save_network(tmp_path / "net.pt")
    legacy, clean = (FeatureNetwork(path, protocol) for protocol in ("legacy", "clean"))
    assert legacy.name == f"inception:{legacy.hash[:12]}/bilinear-tf1"
    assert clean.name == f"inception:{legacy.hash[:12]}/bicubic-antialiased"
    monkeypatch.setattr(inception, "SHA256", legacy.hash)
    assert legacy.name == "inception:2015-12-05/bilinear-tf1"


def test_no_logits_no_score(tmp_path):
    network = FeatureNetwork(save_network(tmp_path / "net.pt"), "legacy")
    with pytest.raises(ConfigError, match=r"needs the network's logits, which net\.pt does not have"):
        network.probabilities(pictures(2))


def test_other_files_and_pictures_are_refused(tmp_path):
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(ModelError, match=r"text\.pt is not a complete TorchScript file$"):
        FeatureNetwork(tmp_path / "text.pt", "legacy")
    with pytest.raises(ModelError, match=r"not features \[N, D\]"):
        FeatureNetwork(save_network(tmp_path / "wrong.pt", "wrong"), "legacy").features(pictures(1))
    network = FeatureNetwork(save_network(tmp_path / "net.pt"), "legacy")
    with pytest.raises(ConfigError, match="uint8"):
        network.features(pictures(1).astype(np.float32))
    with pytest.raises(ConfigError, match="1 or 3"):
        network.features(pictures(1, channels=4))
    with pytest.raises(ConfigError, match="unknown protocol 'new'"):
        FeatureNetwork(tmp_path / "net.pt", "new")


@pytest.mark.parametrize(
    "said", ["DefaultCPUAllocator: can't allocate memory", "CUDA out of memory. Tried to allocate"]
)
def test_memory_that_runs_out_is_no_wrong_file(tmp_path, monkeypatch, said):
    """Also of a card, of which TorchScript makes a plain error."""
    network = FeatureNetwork(save_network(tmp_path / "net.pt"), "legacy")

    def full(x):
        raise RuntimeError(f"The following operation failed in the TorchScript interpreter. {said}")

    monkeypatch.setattr(network, "_module", full)
    with pytest.raises(OutOfMemory, match="use a smaller --batch"):
        network.features(pictures(1))


def test_tf32_is_off_for_a_card_and_comes_back():
    switch = torch.backends.cudnn.conv
    for before in ("ieee", "tf32"):
        with inception._in_float32(torch.device("cpu")):
            pass
        switch.fp32_precision, kept = before, switch.fp32_precision
        try:
            with inception._in_float32(torch.device("cuda")):
                assert switch.fp32_precision == "ieee"
            assert switch.fp32_precision == before
        finally:
            switch.fp32_precision = kept

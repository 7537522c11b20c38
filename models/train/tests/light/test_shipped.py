"""The shipped pack, with numpy, OpenCV and ONNX Runtime alone: these tests run where PyTorch is not installed."""

import hashlib
import json
import tomllib

import numpy as np
import pytest

from lifesign_train import golden
from lifesign_train.data import REPOSITORY

PACK = REPOSITORY / "models" / "builtin"


def test_the_manifest_pins_every_file():
    manifest = tomllib.loads((PACK / "pack.toml").read_text())
    assert manifest["pack"]["assurance"] == "BUILTIN"
    assert [entry["role"] for entry in manifest["model"]] == ["detector", "liveness", "deepfake", "embedding"]
    for entry in manifest["model"]:
        data = (PACK / entry["file"]).read_bytes()
        assert entry["size"] == len(data) and entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_the_golden_numbers_are_those_of_the_shipped_files():
    stored = json.loads((PACK / "golden.json").read_text())
    again = golden.golden(PACK)
    assert [p["file"] for p in stored["pictures"]] == [p["file"] for p in again["pictures"]]
    compared = 0
    for one, two in zip(stored["pictures"], again["pictures"]):
        assert len(one["faces"]) == len(two["faces"]), one["file"]
        for a, b in zip(one["faces"], two["faces"]):
            np.testing.assert_allclose(a["box"], b["box"], atol=0.5)
            np.testing.assert_allclose(a["landmarks"], b["landmarks"], atol=0.5)
            for key in ("score", "liveness", "deepfake", "cosine_to_first"):
                assert abs(a[key] - b[key]) < 0.01, (one["file"], key)
            compared += 1
    assert compared >= 4


def test_a_changed_weight_shows(tmp_path):
    """The comparison above can fail: with the liveness model's colours swapped its numbers are others."""
    for path in PACK.glob("*.onnx"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (PACK / "pack.toml").read_text()
    (tmp_path / "pack.toml").write_text(text.replace('colour = "bgr"', 'colour = "rgb"').replace('"colour": "bgr"', '"colour": "rgb"'))
    stored, swapped = json.loads((PACK / "golden.json").read_text()), golden.golden(tmp_path)
    first = lambda found: [f["liveness"] for p in found["pictures"] for f in p["faces"]][:1]
    assert first(stored) != first(swapped)


def net(output: dict) -> golden.Net:
    """A net without a session, for its rules alone."""
    made = golden.Net.__new__(golden.Net)
    made.entry, made.given, made.size = {"name": "made", "output": output}, {"crop": {"rule": "scaled_box", "scale": 1.0}}, 8
    return made


@pytest.mark.parametrize(("real", "score"), [(0.0, 0.0), (0.2, 0.25), (0.4, 0.5), (0.7, 0.75), (1.0, 1.0)])
def test_fake_at_becomes_one_half(real, score):
    made = net({"rule": "probability_real", "output": "real", "fake_at": 0.4})
    made.run = lambda crop: {"real": np.array([[real]])}
    frame = np.zeros((16, 16, 3), np.uint8)
    assert abs(made.score(frame, np.array([2, 2, 8, 8]), np.zeros((5, 2))) - score) < 1e-9


def test_an_unknown_crop_rule_is_named():
    made = net({"rule": "softmax"})
    made.given = {"crop": {"rule": "octagon"}}
    with pytest.raises(ValueError, match="octagon"):
        made.crop(np.zeros((4, 4, 3), np.uint8), np.zeros(4), np.zeros((5, 2)))

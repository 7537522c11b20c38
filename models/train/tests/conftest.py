"""What the tests share: made-up pictures, so that they need no data."""

import os
import sys

import numpy as np
import pytest

from lifesign_train import data


class PaintedStore:
    """Stands in for `data.ImageStore`: gradients with a drawn face."""

    def __init__(self, count: int, face: bool):
        rng = np.random.default_rng(11)
        self.rows, self.images = [], []
        for i in range(count):
            h, w = int(rng.integers(120, 260)), int(rng.integers(120, 260))
            image = np.clip(rng.uniform(0, 200, 3) + np.linspace(0, 50, w)[None, :, None] + rng.normal(0, 6, (h, w, 3)), 0, 255).astype(np.uint8)
            box = np.array([w * 0.3, h * 0.25, w * 0.4, h * 0.5], np.float32)
            points = box[:2] + box[2:] * np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
            if face:
                y, x = np.mgrid[0:h, 0:w]
                inside = ((x - box[0] - box[2] / 2) / (box[2] / 2)) ** 2 + ((y - box[1] - box[3] / 2) / (box[3] / 2)) ** 2 < 1
                image[inside] = (130, 160, 210)
            self.rows.append(data.Row(f"{i}.jpg", "faces_id" if face else "nonface", "train", "painted", "lfw", str(i), "", int(face), 0.95,
                                      box if face else None, points if face else None))
            self.images.append(image)

    def __len__(self):
        return len(self.rows)

    def get(self, i):
        return self.images[i], 1.0


@pytest.fixture
def faces():
    return PaintedStore(6, True)


@pytest.fixture
def nonfaces():
    return PaintedStore(4, False)


@pytest.fixture
def shared():
    """The folder of data and teachers. Absent: the test is skipped by name, or fails where CI is set."""
    if not (data.SHARED / "data" / "manifest.csv").exists():
        name = os.environ.get("PYTEST_CURRENT_TEST", "a test").split(" ")[0]
        if os.environ.get("CI"):
            pytest.fail(f"{name}: ../shared is absent")
        print(f"SKIPPED {name}: ../shared is absent", file=sys.stderr)
        pytest.skip("../shared is absent")
    return data.SHARED

"""Scenes, targets, decode rule, loss and export of the detector."""

import math

import cv2
import numpy as np
import torch

from lifesign_train import detector_data, export, yunet
from lifesign_train.augment import contact_sheet
from lifesign_train.detector_loss import detector_loss, flatten
from lifesign_train.detector_net import STRIDES, Detector, Exported


def test_scenes_repeat_by_seed_and_differ_between_seeds(faces, nonfaces):
    scenes = detector_data.Scenes(faces, nonfaces, 128)
    again = detector_data.Scenes(faces, nonfaces, 128)
    for seed in range(8):
        assert np.array_equal(scenes.scene(seed)[0], again.scene(seed)[0])
    assert not np.array_equal(scenes.scene(1)[0], scenes.scene(2)[0])


def test_a_contact_sheet_of_scenes_is_written(faces, nonfaces, tmp_path):
    scenes = detector_data.Scenes(faces, nonfaces, 128)
    made = [scenes.scene(seed) for seed in range(24)]
    path = tmp_path / "sheet.png"
    assert cv2.imwrite(str(path), contact_sheet([image for image, _ in made], 6, 128))
    sheet = cv2.imread(str(path))
    assert sheet.shape == (512, 768, 3)
    assert sheet.std() > 20
    counts = {len(scenes.scene(seed)[1]) for seed in range(120)}
    assert {0, 1, 2} <= counts


def test_landmarks_move_with_the_picture(faces, nonfaces):
    """The drawn face's landmarks stay inside its ellipse whatever the scene does, right eye left of left eye for small turns."""
    scenes = detector_data.Scenes(faces, nonfaces, 256)
    for seed in range(40):
        for box, points, _ in scenes.scene(seed)[1]:
            middle = box[:2] + box[2:] / 2
            assert (np.abs(points - middle) < box[2:] * 0.6).all()
            assert points[0][0] < points[1][0]


def test_a_turned_box_is_that_of_the_ellipse():
    box = np.array([10, 20, 40, 60], np.float32)
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(detector_data.turned_box(box, quarter), [-80, 10, 60, 40], atol=1e-4)
    same = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(detector_data.turned_box(box, same), box, atol=1e-4)


def test_every_size_of_face_has_cells_and_tiny_ones_are_ignored():
    points = np.zeros((5, 2), np.float32)
    for side in range(13, 256, 7):
        target = detector_data.assign([(np.array([128 - side / 2, 128 - side / 2, side, side]), points, np.ones(5))], 256)
        assert (target[:, 0] == 1).sum() >= 4, side
    target = detector_data.assign([(np.array([50, 50, 9, 9]), points, np.ones(5))], 256)
    assert (target[:, 0] == 1).sum() == 0 and (target[:, 0] == -1).sum() > 0


def test_what_the_targets_say_is_what_the_decode_rule_reads():
    """A net that gives exactly the targets is decoded to exactly the face: the training and the `yunet` rule agree."""
    size, box = 256, np.array([60.0, 40.0, 70.0, 90.0])
    points = np.array([[80, 70], [110, 72], [95, 90], [82, 108], [108, 110]], np.float32)
    target = detector_data.assign([(box, points, np.ones(5))], size)
    out, begin = {}, 0
    for s in STRIDES:
        n = size // s
        part = target[begin:begin + n * n]
        begin += n * n
        col, row = np.arange(n * n) % n, np.arange(n * n) // n
        face = (part[:, 0] == 1).astype(np.float32)
        out[f"cls_{s}"] = out[f"obj_{s}"] = face[None, :, None]
        wh = np.log(np.maximum(part[:, 3:5], 1e-3) / s)
        out[f"bbox_{s}"] = np.concatenate([np.stack([part[:, 1] / s - col, part[:, 2] / s - row], 1), wh], 1)[None]
        out[f"kps_{s}"] = (part[:, 5:15].reshape(-1, 5, 2) / s - np.stack([col, row], 1)[:, None]).reshape(1, -1, 10)
    found = yunet.decode(out, size, STRIDES, 0.5, 0.3)
    assert len(found) == 1
    np.testing.assert_allclose(found[0][1], box, atol=1e-3)
    np.testing.assert_allclose(found[0][2], points, atol=1e-3)


def test_the_letterbox_never_enlarges_and_pads_black():
    canvas, kx, ky = yunet.letterbox(np.full((100, 60, 3), 9, np.uint8), 256, 256)
    assert (kx, ky) == (1.0, 1.0) and canvas[:100, :60].min() == 9 and canvas[100:].max() == 0 and canvas[:, 60:].max() == 0
    canvas, kx, _ = yunet.letterbox(np.full((480, 640, 3), 9, np.uint8), 256, 128)
    assert canvas[:96, :128].min() == 9 and canvas[96:].max() == 0 and kx == 5.0


def test_a_net_learns_one_scene():
    torch.manual_seed(0)
    net = Detector()
    image = torch.rand(2, 3, 64, 64)
    points = np.tile(np.array([[32.0, 32.0]]), (5, 1))
    target = torch.from_numpy(np.stack([detector_data.assign([(np.array([16.0, 12.0, 32.0, 40.0]), points, np.ones(5))], 64)] * 2))
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    first = detector_loss(net(image), target)[0].item()
    for _ in range(25):
        optimiser.zero_grad()
        loss, parts = detector_loss(net(image), target)
        loss.backward()
        optimiser.step()
    assert loss.item() < first / 2 and parts["iou"] > 0.5


def test_the_export_agrees_with_pytorch_and_keeps_the_limits(tmp_path):
    net = Detector().eval()
    path = tmp_path / "detector.onnx"
    assert export.export(Exported(export.folded(net), 256).eval(), path, 256, Exported.NAMES) < export.TOLERANCE
    assert export.parameters(path) <= 120_000
    x = torch.rand(1, 3, 256, 256)
    flat, _, _ = flatten(net(x))
    exported = dict(zip(Exported.NAMES, Exported(export.folded(net), 256)(x)))
    begin = 0
    for s in STRIDES:
        n = (256 // s) ** 2
        assert tuple(exported[f"bbox_{s}"].shape) == (1, n, 4) and tuple(exported[f"kps_{s}"].shape) == (1, n, 10)
        torch.testing.assert_close(exported[f"cls_{s}"][0, :, 0], torch.sigmoid(flat[0, begin:begin + n, 0]), atol=1e-4, rtol=1e-3)
        begin += n
    assert math.isclose(begin, flat.shape[1])

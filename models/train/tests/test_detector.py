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


def test_the_cut_teacher_says_what_the_whole_one_says(shared):
    """Scores and boxes at the teacher's own size, against its published file; and it takes batches of other sizes."""
    import onnxruntime
    from lifesign_train.detector_teacher import FILE, WIDTH, Teacher
    teacher = Teacher(shared)
    picture = torch.from_numpy(np.random.default_rng(2).uniform(0, 255, (1, 3, 640, 640)).astype(np.float32))
    scores, boxes, _ = teacher(picture)
    whole = onnxruntime.InferenceSession(str(shared / "models" / "open" / FILE), providers=["CPUExecutionProvider"])
    out = dict(zip([o.name for o in whole.get_outputs()], whole.run(None, {"input": picture.numpy()})))
    for k, kind in enumerate(("cls", "obj")):
        want = np.concatenate([out[f"{kind}_{s}"] for s in STRIDES], 1)[..., 0]
        np.testing.assert_allclose(scores[..., k].numpy(), want, atol=1e-4)
    begin = 0
    for s in STRIDES:
        n = 640 // s
        cells, raw = np.arange(n * n), out[f"bbox_{s}"][0]
        want = np.concatenate([(np.stack([cells % n, cells // n], 1) + raw[:, :2]) * s, np.exp(raw[:, 2:]) * s], 1)
        np.testing.assert_allclose(boxes[0, begin:begin + n * n].numpy(), want, rtol=1e-3, atol=1e-2)
        begin += n * n
    scores, boxes, features = teacher(torch.zeros(2, 3, 128, 128))
    assert scores.shape == (2, 336, 2) and boxes.shape == (2, 336, 4)
    assert [tuple(f.shape) for f in features] == [(2, WIDTH, 16, 16), (2, WIDTH, 8, 8), (2, WIDTH, 4, 4)]


def taught(found: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Targets of one face of 64 pixels, and a teacher that gives it `found` in one cell of stride 16 and has a bystander elsewhere."""
    box, points = np.array([96.0, 96.0, 64.0, 64.0]), np.full((5, 2), 128, np.float32)
    target = torch.from_numpy(detector_data.assign([(box, points, np.ones(5))], 256))[None]
    scores, boxes = torch.zeros(1, target.shape[1], 2), torch.ones(1, target.shape[1], 4)
    at, bystander = 32 * 32 + 8 * 16 + 8, 32 * 32 + 16 * 16 + 1
    scores[0, at] = found
    boxes[0, at] = torch.tensor([128.0, 128.0, 64.0, 64.0])
    scores[0, bystander] = 0.9
    return target, scores, boxes


def test_the_teacher_says_which_cells_are_a_face_that_it_finds():
    from lifesign_train.detector_loss import from_teacher
    target, scores, boxes = taught(0.9)
    state, soft_class, soft_object = from_teacher(target, scores, boxes)
    assert (state == 1).sum() == 1 and state[0, 32 * 32 + 8 * 16 + 8] == 1
    assert abs(float(soft_class[0, 32 * 32 + 8 * 16 + 8]) - 0.9) < 1e-6 and abs(float(soft_object.max()) - 0.9) < 1e-6
    assert state[0, 32 * 32 + 16 * 16 + 1] == -1


def test_the_rule_says_it_where_the_teacher_does_not():
    from lifesign_train.detector_loss import from_teacher
    target, scores, boxes = taught(0.4)
    state, soft_class, _ = from_teacher(target, scores, boxes)
    assert torch.equal(state[target[..., 20] > 0], target[..., 0][target[..., 20] > 0])
    assert (soft_class == 1).sum() == (target[..., 0] == 1).sum() > 1


def test_hints_vanish_where_the_features_agree_and_weigh_faces_most():
    from lifesign_train.detector_teacher import hint_loss
    theirs = [torch.randn(2, 64, n, n, generator=torch.Generator().manual_seed(1)) for n in (8, 4, 2)]
    on_face = torch.zeros(2, 84, dtype=torch.bool)
    on_face[:, :8] = True
    assert hint_loss(theirs, theirs, on_face) == 0
    off = [t.clone() for t in theirs]
    off[0][:, :, 0] += 1
    elsewhere = [t.clone() for t in theirs]
    elsewhere[0][:, :, 7] += 1
    assert hint_loss(off, theirs, on_face) > 5 * hint_loss(elsewhere, theirs, on_face) > 0

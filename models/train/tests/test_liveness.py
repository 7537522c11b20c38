"""Simulated attacks, crop rules, targets and export of the liveness model."""

import cv2
import numpy as np
import pytest
import torch

from lifesign_train import attacks, crops, export, liveness, liveness_data, liveness_measure, liveness_teacher, measuring
from lifesign_train.augment import contact_sheet
from lifesign_train.data import load_rows
from lifesign_train.liveness_net import Liveness, Student


@pytest.mark.parametrize("kind", ["print", "replay"])
def test_an_attack_keeps_its_face_in_the_frame(faces, nonfaces, kind):
    for seed in range(30):
        i = seed % len(faces)
        frame, box = attacks.attack(faces.get(i)[0], faces.rows[i].box, kind, 1.5 + seed % 3, nonfaces.get(seed % len(nonfaces))[0], np.random.default_rng(seed))
        h, w = frame.shape[:2]
        assert frame.dtype == np.uint8 and min(h, w) >= 24
        middle = box[:2] + box[2:] / 2
        assert 0 < middle[0] < w and 0 < middle[1] < h and box[2] > 20


def test_attacks_repeat_by_seed(faces, nonfaces):
    make = lambda seed: attacks.attack(faces.get(0)[0], faces.rows[0].box, "replay", 2.5, nonfaces.get(0)[0], np.random.default_rng(seed))[0]
    assert np.array_equal(make(4), make(4))
    assert not np.array_equal(make(4), make(5))


def test_a_contact_sheet_of_attacks_is_written(faces, nonfaces, tmp_path):
    made = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        i = seed % len(faces)
        image, box = faces.get(i)[0], faces.rows[i].box
        if seed % 3 == 2:
            j = (i + 1) % len(faces)
            made.append(attacks.mask_attack(image, box, faces.get(j)[0], faces.rows[j].box, rng))
        else:
            made.append(attacks.attack(image, box, ("print", "replay")[seed % 3], 2.7, nonfaces.get(0)[0], rng)[0])
    path = tmp_path / "attacks.png"
    assert cv2.imwrite(str(path), contact_sheet(made, 6, 96))
    sheet = cv2.imread(str(path))
    assert sheet.shape == (384, 576, 3) and sheet.std() > 20


def test_moire_marks_the_display_only():
    frame = np.full((64, 64, 3), 128, np.uint8)
    mask = np.zeros((64, 64), np.float32)
    mask[:, 32:] = 1
    out = attacks.moire(frame, mask, np.random.default_rng(1))
    assert (out[:, :32] == 128).all() and out[:, 32:].std() > 0.5


def test_the_scaled_box_is_capped_and_shifted_inside():
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, :50] = 200
    crop = crops.scaled_box(image, np.array([5.0, 30.0, 20.0, 20.0]), 2.0, 40)
    assert crop.shape == (40, 40, 3) and (crop == 200).all()  # columns 0..=40 after the shift
    whole = crops.scaled_box(image, np.array([30.0, 30.0, 40.0, 40.0]), 9.0, 100)
    assert whole.shape == (100, 100, 3) and whole[:, 10].min() == 200 and whole[:, 90].max() == 0


def test_the_reference_pipeline_cuts_the_same_crop(shared):
    import importlib.util
    spec = importlib.util.spec_from_file_location("reference", shared / "models" / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    image = np.random.default_rng(2).integers(0, 256, (240, 180, 3), dtype=np.uint8)
    for box in ([40.7, 60.2, 50.9, 70.1], [-3.0, 10.0, 90.0, 120.0], [150.0, 200.0, 40.0, 50.0]):
        ours, theirs = crops.scaled_box(image, np.array(box), 2.7, 80), reference.sf_crop(image, box, 2.7)[0]
        assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_targets_follow_the_label_and_only_a_teacher_who_agrees():
    kind = np.array([0, 0, 1, 1, 1])
    teacher = np.array([0.9, 0.1, 0.2, 0.9, 0.2], np.float32)
    tight = np.array([False, False, False, False, True])
    got = liveness.targets(kind, teacher, tight)
    part = liveness.TEACHER
    np.testing.assert_allclose(got, [(1 - part) * 0.97 + part * 0.9, 0.97, (1 - part) * 0.03 + part * 0.2, 0.03, 0.03], atol=1e-6)


def test_genuine_and_attacks_weigh_the_same_and_doubtful_simulations_less():
    kind = np.array([0, 1, 1, 1])
    w = liveness.weights(kind, np.array([0.9, 0.9, 0.1, 0.9]), np.array([False, True, True, False]))
    assert w[0] == pytest.approx(w[1:].sum())
    assert w[1] == pytest.approx(liveness.DOUBT * w[2]) and w[3] == pytest.approx(w[2])


def test_jitter_moves_a_crop_but_keeps_it():
    crops_ = np.zeros((16, 80, 80, 3), np.uint8)
    crops_[:, 30:50, 30:50] = 200
    out = liveness.jittered(crops_, np.random.default_rng(3))
    assert out.shape == crops_.shape and out.dtype == np.float32
    assert all(out[k, 36:44, 36:44].min() > 90 > out[k, :20].max() for k in range(16))
    assert len({tuple(np.argwhere(o[..., 0] > 90)[0]) for o in out}) > 4


def test_the_average_net_of_a_student_is_what_is_loaded(tmp_path):
    student = Student(8)
    torch.save({"average": Student(liveness.HINTS).state_dict()}, tmp_path / "liveness.pt")
    assert isinstance(liveness.load(tmp_path), Liveness)
    logits, hints = student(torch.zeros(2, 3, 80, 80))
    assert logits.shape == (2, 2) and hints.shape == (2, 8)


def test_the_batched_teacher_says_what_the_single_one_says(shared):
    crops_ = np.stack([cv2.GaussianBlur(np.random.default_rng(k).integers(0, 256, (80, 80, 3), dtype=np.uint8), (0, 0), 3) for k in range(5)])
    got, hints = liveness_teacher.Teacher(shared)(crops_)
    single = measuring.session(shared / "models" / "open" / liveness_teacher.HALVES[0][0])
    want = [liveness_teacher.probability(single.run(None, {"input": c.transpose(2, 0, 1)[None].astype(np.float32)})[0])[0] for c in crops_]
    np.testing.assert_allclose(got, want, atol=1e-4)
    assert hints.shape == (5, liveness_teacher.HINTS) and np.ptp(got) > 0.05


def test_real_presentations_come_from_every_source_and_not_by_its_size_alone(shared):
    pool = liveness_data.Pool(load_rows(shared), "train")
    for groups, share in (pool.live, pool.attacks, pool.tight):
        sizes = np.array([len(g) for g in groups])
        assert share.sum() == pytest.approx(1) and (share > 0).all()
        assert share.max() / share.min() == pytest.approx(np.sqrt(sizes.max() / sizes.min()))
        assert all(len({(pool.rows[i].source, pool.rows[i].label) for i in g}) == 1 for g in groups)


def test_the_threshold_is_chosen_on_val_and_kept_for_test(tmp_path):
    scores = {k: np.linspace(0.4, 1, 101) for k in liveness_measure.GENUINE} | {k: np.linspace(0, 0.5, 101) for k in liveness_measure.ATTACKS}
    chosen = liveness_measure.chosen_threshold(scores, "val", tmp_path)
    assert 0.45 <= chosen <= 0.51  # genuine are spread wider, so that one more of them costs less than one more attack
    assert liveness_measure.chosen_threshold({}, "test", tmp_path) == chosen


def test_the_export_agrees_with_pytorch(tmp_path):
    path = tmp_path / "liveness.onnx"
    assert export.export(export.folded(Liveness().eval()), path, 80, ["logits"]) < export.TOLERANCE
    assert export.parameters(path) <= 250_000 and path.stat().st_size <= 1_000_000

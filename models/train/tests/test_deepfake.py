"""Self-blends, matched pairs, crops, losses, export and the deciding rule of the deepfake model."""

import cv2
import numpy as np
import pytest
import torch

from lifesign_train import crops, deepfake, deepfake_blend, deepfake_card, deepfake_data, deepfake_measure, export
from lifesign_train.augment import contact_sheet
from lifesign_train.data import Row
from lifesign_train.deepfake_net import CELLS, LEVEL, Deepfake, Exported, Texture


def textured(seed: int = 5, h: int = 240, w: int = 200):
    """A picture with detail everywhere, a box and its landmarks: flat drawings hide what a blend does."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(40, 216, (h // 4, w // 4, 3), dtype=np.uint8), (w, h), interpolation=cv2.INTER_CUBIC)
    box = np.array([w * 0.3, h * 0.25, w * 0.4, h * 0.5], np.float32)
    return image, box, box[:2] + box[2:] * np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def test_a_blend_changes_the_face_and_nothing_far_from_it():
    changed = 0
    for seed in range(30):
        image, box, points = textured(seed)
        out = deepfake_blend.blend(image, points, np.random.default_rng(seed))
        assert out.shape == image.shape and out.dtype == np.uint8
        away = np.abs(out.astype(int) - image)
        # The upper corners lie more than a face from the middle of the face.
        assert away[:12, :12].max() <= 1 and away[:12, -12:].max() <= 1
        x, y, w, h = box.astype(int)
        changed += away[y:y + h, x:x + w].mean() > 1.0
    assert changed >= 25  # a weak ratio and a weak change may leave little


def test_a_blend_keeps_the_features_in_their_places():
    image, _, points = textured()
    for p in points.astype(int):
        cv2.circle(image, tuple(int(v) for v in p), 5, (0, 0, 0), -1)
    for seed in range(12):
        out = deepfake_blend.blend(image, points, np.random.default_rng(seed))
        for x, y in points.astype(int):
            near = out[y - 9:y + 10, x - 9:x + 10].sum(2).astype(float)
            dark = np.argwhere(near <= near.min() + 60).mean(0) - 9
            assert np.hypot(*dark) < 6


def test_blends_repeat_by_seed():
    image, _, points = textured()
    make = lambda seed: deepfake_blend.blend(image, points, np.random.default_rng(seed))
    assert np.array_equal(make(3), make(3)) and not np.array_equal(make(3), make(4))


def test_a_mask_is_soft_and_lies_on_the_face():
    _, box, points = textured()
    for seed in range(40):
        m = deepfake_blend.mask((240, 200, 3), points, np.random.default_rng(seed))
        assert 0 <= m.min() and m.max() <= 1 and m.max() > 0.5 and 0.002 < m.mean() < 0.4
        y, x = (np.mgrid[0:240, 0:200] * m).sum((1, 2)) / m.sum()
        assert box[0] < x < box[0] + box[2] and box[1] < y < box[1] + box[3]


def test_a_profile_still_has_a_face():
    eyes_in_one = np.array([[100, 100], [101, 100], [90, 120], [98, 140], [100, 140]], float)
    _, right, _ = deepfake_blend.axes(eyes_in_one)
    assert right[0] > 10


def test_a_contact_sheet_of_blends_is_written(shared, tmp_path):
    from lifesign_train.data import load_rows, read_image
    rows = [r for r in load_rows(shared) if r.split == "train" and r.label == "faces_portrait" and r.kind == "ffhq"][:12]
    made = []
    for k, row in enumerate(rows):
        image = read_image(row, shared)
        both = (image, deepfake_blend.blend(image, row.points, np.random.default_rng(k)))
        assert np.abs(both[1].astype(int) - image).max() > 4
        made += [crops.scaled_box(x, row.box, deepfake_data.SCALE, deepfake_data.SIZE) for x in both]
    path = tmp_path / "blends.png"
    assert cv2.imwrite(str(path), contact_sheet(made, 6, 128))
    assert cv2.imread(str(path)).shape == (512, 768, 3)


def test_what_is_levelled_no_longer_tells_the_framing():
    rng = np.random.default_rng(1)
    small, large = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8), rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    boxes = np.array([80, 70, 90, 118], np.float32), np.array([62, 10, 130, 170], np.float32)
    margins = np.minimum(*(deepfake_data.room(i, b) for i, b in zip((small, large), boxes)))
    got = [deepfake_data.resized(*deepfake_data.window(i, b, margins), 100.0) for i, b in zip((small, large), boxes)]
    for image, box in got:
        np.testing.assert_allclose(deepfake_data.room(image, box), margins, atol=0.02)
        assert box[3] == pytest.approx(100)
    assert [c.shape for c in deepfake_measure.levelled((small, boxes[0]), (large, boxes[1]))] == [(128, 128, 3)] * 2


def test_hiding_covers_the_face_and_leaves_the_rest():
    image, box, _ = textured()
    crop = crops.scaled_box(image, box, deepfake_data.SCALE, deepfake_data.SIZE)
    out = deepfake_measure.hidden(crop)
    assert out[30:98, 40:88].std((0, 1)).max() == 0 and np.array_equal(out[:, :3], crop[:, :3]) and np.array_equal(out[:8, :8], crop[:8, :8])


def row(group: str) -> Row:
    return Row("x.jpg", "deepfake", "val", "painted", "dfdc", "", group, 1, 0.9, None, None)


def test_matched_pairs_use_no_picture_twice_and_keep_their_distance():
    genuine = [(row("a"), None, 0.0), (row("b"), None, 0.05), (row("c"), None, 3.0)]
    forged = [(row("b"), None, 0.04), (row("a"), None, 2.0), (row("d"), None, 0.01)]
    assert deepfake_measure.pairs(genuine, forged, by_group=False) == [(0, 2), (1, 0)]
    assert deepfake_measure.pairs(genuine, forged, by_group=True) == [(0, 1), (1, 0)]


def test_the_pool_makes_pairs_of_one_source(shared):
    from lifesign_train.data import load_rows
    found = [r for r in load_rows(shared) if deepfake_data.usable(r)]
    few: list[Row] = []
    for source in deepfake_data.SOURCES:
        few += [r for side in deepfake_data.of_source(found, "val", source) for r in side[:8]]
    few += [r for r in found if r.split == "val" and r.kind == "lfw"][:8]
    pool = deepfake_data.Pool(few, "val")
    seen = set()
    for seed in range(60):
        genuine, forged, origin = pool.sample(seed)
        assert genuine.shape == forged.shape == (128, 128, 3) and genuine.dtype == np.uint8 and not np.array_equal(genuine, forged)
        seen.add(origin)
    assert len(seen) == len(deepfake_data.SHARES)
    for seed in range(40):
        i, j = pool._pair("openforensics", np.random.default_rng(seed))
        assert pool.rows[i].label == "deepfake_real" and pool.rows[j].label == "deepfake" and pool.rows[i].kind == pool.rows[j].kind
    again = pool.sample(3)
    assert all(np.array_equal(a, b) for a, b in zip(again, pool.sample(3)))


def test_jitter_treats_both_members_alike():
    crop = np.random.default_rng(2).integers(0, 256, (4, 1, 128, 128, 3), dtype=np.uint8)
    pairs = np.concatenate([crop, crop], 1)
    for seed in range(8):
        out = deepfake.jittered(pairs, np.random.default_rng(seed))
        assert out.shape == pairs.shape and out.dtype == np.float32 and np.array_equal(out[:, 0], out[:, 1])
        assert not np.array_equal(out, pairs)


class Told(torch.nn.Module):
    """Says what it was told to: `sign` for genuine, its opposite for forged, and `where` for every cell of the forged."""

    def __init__(self, sign, where=0.0):
        super().__init__()
        self.sign, self.where = sign, where

    def maps(self, x):
        n = len(x) // 2
        cells = torch.cat([torch.full((n, 1, 15, 15), -3.0), torch.full((n, 1, 15, 15), self.where)])
        return self.sign * torch.cat([torch.ones(n, 1), -torch.ones(n, 1)]), cells


def test_the_loss_falls_where_genuine_scores_higher():
    batch = torch.zeros(4, 3, 128, 128), torch.zeros(2, dtype=torch.bool)
    good, bad = deepfake.loss_of(Told(1.0), batch), deepfake.loss_of(Told(-1.0), batch)
    assert good[0] < bad[0] and good[1]["ranked"] == 1 and bad[1]["right"] == 0


def test_only_self_blends_are_located():
    pixels = torch.zeros(4, 3, 128, 128)
    pixels[2:, :, :64, :64] = 40
    got = deepfake.changed(pixels)
    assert got.shape == (2, 1, 15, 15) and (got[:, :, :8, :8] == 1).all() and (got[:, :, 9:] == 0).all() and (got[:, :, :, 9:] == 0).all()
    pixels[2:] = 40
    told = [deepfake.loss_of(Told(1.0, where), (pixels, torch.tensor(blends)))[1]["located"]
            for where, blends in ((3.0, [True, True]), (-3.0, [True, True]), (-3.0, [False, False]))]
    assert told[0] < told[1] and told[2] == 0


def test_texture_is_blind_to_slopes_and_sees_every_doubling():
    texture = Texture()
    slope = torch.linspace(-2, 2, 128).expand(1, 3, 128, 128)
    assert (texture(slope)[:, 3:] + 2).abs().max() < 1e-2
    noise = torch.from_numpy(np.random.default_rng(1).normal(0, LEVEL, (1, 3, 128, 128)).astype(np.float32))
    steps = [float(texture(k * noise)[:, 3:].mean()) for k in (1, 2, 4, 8, 16)]
    grown = np.diff(steps)
    assert grown.min() > 0.3 and grown.max() < 0.7 and texture(noise).shape == (1, Texture.CHANNELS, CELLS, CELLS)


def test_the_reference_pipeline_cuts_the_same_square(shared):
    import importlib.util
    spec = importlib.util.spec_from_file_location("reference", shared / "models" / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    image, _, points = textured()
    for points in (points, points + [60, 40], points @ np.array([[0.9, 0.3], [-0.3, 0.9]])):
        ours, theirs = crops.eyes_mouth(image, points, 1.43, 256), reference.Deepfake.crop(image, points)
        assert np.abs(ours - theirs).max() <= 4 and np.abs(ours - theirs).mean() < 0.5


def test_the_export_agrees_with_pytorch_and_is_small(tmp_path):
    path = tmp_path / "deepfake.onnx"
    assert export.export(export.folded(Exported(Deepfake()).eval()), path, deepfake_data.SIZE, ["real_prob"]) < export.TOLERANCE
    assert path.stat().st_size <= 1_500_000
    # Texture of natural strength: the noise of the export's own check lies beyond the last step of the logarithm.
    net = export.folded(Exported(Deepfake()).eval())
    export.export(net, path, deepfake_data.SIZE, ["real_prob"])
    told = []
    for seed in range(4):
        crop = np.ascontiguousarray(textured(seed, 128, 128)[0])
        with torch.no_grad():
            want = float(net((torch.from_numpy(crop.transpose(2, 0, 1)[None].astype(np.float32)) / 255 - 0.5) / 0.25))
        told.append(deepfake_measure.Scorer(path).crop(crop))
        assert abs(told[-1] - want) < 1e-4
    assert len(set(told)) == 4
    assert 0 <= deepfake_measure.Scorer(path).crop(np.zeros((128, 128, 3), np.uint8)) <= 1
    with pytest.raises(Exception, match="[Ii]nvalid"):
        deepfake_measure.Scorer(path).crop(np.zeros((64, 64, 3), np.uint8))


def test_the_threshold_rejects_no_more_than_asked_of_the_mean_kind():
    kinds = {"a": list(np.linspace(0.0, 1.0, 100)), "b": list(np.linspace(0.5, 1.0, 100)), "few": [0.0] * 3}
    t = deepfake_measure.threshold_at(kinds)
    share = lambda t: np.mean([(np.array(kinds[k]) <= t).mean() for k in "ab"])
    assert share(t) <= deepfake_measure.REJECTED < share(t + 0.02)


def figures(auc="0.850 [0.8, 0.9] (9 genuine, 9 forged)", matched="0.810 [0.7, 0.9] (9 genuine, 9 forged)", together="0.830 [0.8, 0.9]", alarms="1/20 = 5.0 % [0.9, 23.6]"):
    return {"per source, weakest first": {"openforensics": {"auc": auc, "auc of matched pairs": matched}}, "all sources together": {"auc": together},
            "genuine of other kinds rejected, worst first": {"a": alarms, "tiny": "2/3 = 66.7 % [20.8, 93.9]"}}


def test_the_check_decides_only_where_every_figure_is_reached():
    assert deepfake_card.good_enough(figures())
    for weak in (figures(auc="0.790 [0, 1]"), figures(matched="0.700 [0, 1]"), figures(together="0.799 [0, 1]"), figures(alarms="3/20 = 15.0 % [5.2, 36.0]"), {}):
        assert not deepfake_card.good_enough(weak)

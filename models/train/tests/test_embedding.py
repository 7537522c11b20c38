"""Crops, views, losses, comparison of pairs and export of the embedding model."""

import importlib.util

import cv2
import numpy as np
import pytest
import torch

from lifesign_train import crops, embedding, embedding_card, embedding_data, embedding_measure, export, pairs
from lifesign_train.augment import contact_sheet
from lifesign_train.crops import ARCFACE
from lifesign_train.embedding_data import DIMENSIONS, GRID, MARGIN, SIDE, SIZE
from lifesign_train.embedding_net import Embedding, Trained
from lifesign_train.muon import Muon, orthogonal


def reference(shared):
    spec = importlib.util.spec_from_file_location("reference", shared / "models" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_landmarks_land_on_the_template_and_the_margin_adds_picture_around_it():
    image = np.zeros((300, 300, 3), np.uint8)
    turned = ARCFACE @ np.array([[0.0, 1.5], [-1.5, 0.0]]) + np.array([220.0, 60.0])  # a quarter turn, half as large again
    for x, y in turned:
        cv2.circle(image, (round(x), round(y)), 4, (255, 255, 255), -1)
    for size, margin in ((SIDE, 0), (SIZE, 0), (SIDE, MARGIN)):
        crop = crops.arcface(image, turned, size, margin)
        assert crop.shape == (size + 2 * margin,) * 2 + (3,)
        for x, y in ARCFACE * (size / SIDE) + margin:
            assert crop[round(y), round(x)].min() > 128
    wide = crops.arcface(image, turned, SIDE, MARGIN)
    assert np.abs(wide[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(int) - crops.arcface(image, turned, SIDE)).max() <= 1


def test_the_crop_and_the_teacher_are_the_reference_pipelines(shared):
    ref = reference(shared)
    rng = np.random.default_rng(2)
    image = cv2.resize(rng.integers(0, 256, (24, 18, 3), dtype=np.uint8), (180, 240))
    points = ARCFACE * 1.1 + np.array([20.0, 60.0]) + rng.normal(0, 4, (5, 2))  # landmarks that no similarity fits exactly
    ours, theirs = crops.arcface(image, points, SIDE), ref.Embed.align(image, points)
    assert np.abs(ours - theirs).mean() < 1.0
    assert float(embedding_data.Teacher(shared)(ours) @ ref.Embed()(image, points)) > 0.998


def test_averaging_keeps_the_mean():
    m = embedding_data.averaging(7, GRID)
    np.testing.assert_allclose(m.sum(1), 1)
    np.testing.assert_allclose((m @ np.arange(7.0)).mean(), 3.0)


def test_a_contact_sheet_of_views_is_written_and_views_repeat_by_seed(faces, tmp_path):
    made = []
    for i in range(len(faces)):
        wide = crops.arcface(faces.get(i)[0], faces.rows[i].points, SIDE, MARGIN)
        made += [embedding_data.jittered(wide, np.random.default_rng(k), k % 2 == 1) for k in range(6)]
    assert all(v.shape == (SIZE, SIZE, 3) and v.dtype == np.uint8 for v in made)
    path = tmp_path / "views.png"
    assert cv2.imwrite(str(path), contact_sheet(made, 6, SIZE))
    assert cv2.imread(str(path)).std() > 15
    view = lambda seed: embedding_data.jittered(wide, np.random.default_rng(seed), False)
    assert np.array_equal(view(3), view(3)) and not np.array_equal(view(3), view(4))


def test_a_mirrored_view_is_mirrored():
    wide = np.zeros((SIDE + 2 * MARGIN,) * 2 + (3,), np.uint8)
    wide[:, :wide.shape[1] // 2] = 200
    plain = [embedding_data.jittered(wide, np.random.default_rng(k), False).mean((0, 2)) for k in range(20)]
    turned = [embedding_data.jittered(wide, np.random.default_rng(k), True).mean((0, 2)) for k in range(20)]
    assert np.mean([v[:30].mean() - v[-30:].mean() for v in plain]) > 40
    assert np.mean([v[:30].mean() - v[-30:].mean() for v in turned]) < -40


def test_the_loss_is_nothing_for_the_teacher_itself_and_something_for_another():
    rng = torch.Generator().manual_seed(1)
    target = torch.nn.functional.normalize(torch.randn(8, DIMENSIONS, generator=rng))
    hint = torch.randn(8, GRID * GRID, DIMENSIONS, generator=rng)
    maps = hint.transpose(1, 2).reshape(8, DIMENSIONS, GRID, GRID)
    assert embedding.losses(3 * target, maps, target, hint)[0].item() < 1e-5
    worse, parts = embedding.losses(target.flip(0), maps.flip(0), target, hint)
    assert worse.item() > 0.5 and min(parts.values()) > 1e-3


def test_pairs_count_what_they_should():
    angles = np.radians([0.0, 10.0, 90.0, 100.0, 180.0])
    people = np.array([0, 0, 1, 1, 2])
    made = pairs.Pairs(np.column_stack([np.cos(angles), np.sin(angles)]), people)
    assert len(made.genuine) == 2 and len(made.impostor) == 8
    assert made.fnmr(0.9) == 0 and made.fnmr(0.99) == 1
    assert made.fmr(0.17) == 2 / 8  # 10 against 90 and 100 against 180 degrees
    cut = made.threshold(0.25)
    assert made.fmr(cut) == 0.25 and made.fmr(made.threshold(0.2)) == 0.125 and made.fmr(made.threshold(0.1)) == 0


def test_a_person_with_many_pictures_does_not_drown_the_rest():
    # Person 0 has ten pictures that agree, person 1 two that do not.
    vectors = np.array([[1.0, 0.0]] * 10 + [[0.0, 1.0], [0.0, -1.0]])
    made = pairs.Pairs(vectors, np.array([0] * 10 + [1, 1]))
    assert made.fnmr(0.5) == pytest.approx(1 / 46) and made.per_person(0.5) == 0.5
    low, high = made.fnmr_interval(cosine=0.5)
    assert low == 0 and high == 1  # with two people, a round may draw only one of them
    with pytest.raises(ValueError):
        made.fnmr_interval()


def test_the_interval_at_an_fmr_holds_the_estimate():
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(40), 3)
    centres = rng.normal(size=(40, 16))
    vectors = centres[people] + 0.7 * rng.normal(size=(120, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = pairs.Pairs(vectors, people)
    cut = made.threshold(0.01)
    low, high = made.fnmr_interval(fmr=0.01)
    assert low < made.fnmr(cut) < high and high - low < 0.6
    low, high = made.fmr_interval(cut)
    assert low < made.fmr(cut) < high


def test_inexact_landmarks_are_off_by_what_is_said_and_smaller_pictures_keep_theirs():
    image, points = np.zeros((200, 200, 3), np.uint8), ARCFACE + 40
    eyes = np.linalg.norm(points[1] - points[0])
    change = embedding_measure.inexact(0.1)
    off = np.mean([np.linalg.norm(change(image, points)[1] - points, axis=1).mean() for _ in range(300)])
    assert abs(off / eyes - 0.1) < 0.005
    small, moved = embedding_measure.smaller(12)(image, points)
    assert abs(np.linalg.norm(moved[1] - moved[0]) - 12) < 0.3 and small.shape[0] < 80


@pytest.mark.parametrize("fnmr, person, decides", [(0.15, 0.19, True), (0.21, 0.1, False), (0.1, 0.25, False)])
def test_the_match_is_advisory_above_a_fifth_of_misses(fnmr, person, decides):
    assert embedding_card.good_enough({"at FMR": {"builtin": {"0.001": {"fnmr": fnmr, "fnmr per person": person}}}}) is decides


def test_no_figures_decide_nothing():
    assert not embedding_card.good_enough({})


def test_the_export_agrees_with_pytorch(tmp_path):
    path = tmp_path / "embedding.onnx"
    net = Trained().net.eval()
    assert export.export(export.folded(net), path, SIZE, ["embedding"]) < export.TOLERANCE
    assert 300_000 <= export.parameters(path) <= 500_000
    student = embedding_measure.Student(path)
    vector = student(np.full((200, 200, 3), 90, np.uint8), ARCFACE + 30)
    assert vector.shape == (DIMENSIONS,) and abs(np.linalg.norm(vector) - 1) < 1e-5


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(RuntimeError):
        Embedding().eval()(torch.zeros(1, 3, 40, 40))


@pytest.mark.parametrize("shape", [(12, 40), (40, 12)])
def test_an_orthogonal_step_moves_along_all_directions_alike(shape):
    gradient = torch.randn(*shape, generator=torch.Generator().manual_seed(2)) @ torch.diag(torch.logspace(0, -1.5, shape[1]))
    before, after = torch.linalg.svdvals(gradient), torch.linalg.svdvals(orthogonal(gradient))
    assert before.max() / before.min() > 5 and after.max() / after.min() < 2.5
    assert 0.5 < after.min() and after.max() < 1.4


def test_the_optimiser_learns_dense_and_depthwise_kernels_and_goes_on_from_its_state():
    def problem():
        torch.manual_seed(4)
        net = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3, padding=1, groups=4), torch.nn.Conv2d(4, 6, 1))
        return net, torch.randn(8, 4, 6, 6), torch.randn(8, 6, 6, 6).mean((0, 2, 3), keepdim=True)

    def advance(net, x, goal, optimiser, count):
        for _ in range(count):
            optimiser.zero_grad()
            loss = (net(x) - goal).square().mean()
            loss.backward()
            optimiser.step()
        return loss.item()

    net, x, goal = problem()
    depthwise = net[0].weight.detach().clone()
    first = advance(net, x, goal, Muon(net.parameters(), 0.02, 0.0), 1)
    straight, *_ = problem()
    last = advance(straight, x, goal, Muon(straight.parameters(), 0.02, 0.0), 60)
    assert last < 0.3 * first and not torch.equal(depthwise, straight[0].weight)
    halved, *_ = problem()
    one = Muon(halved.parameters(), 0.02, 0.0)
    advance(halved, x, goal, one, 30)
    two = Muon(halved.parameters(), 0.02, 0.0)
    two.load_state_dict(one.state_dict())
    assert advance(halved, x, goal, two, 30) == pytest.approx(last, rel=1e-4)

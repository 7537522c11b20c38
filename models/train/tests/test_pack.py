"""Statistics, the self-test's input and the TOML writer."""

import tomllib

import numpy as np
import pytest

from lifesign_train import liveness_card, manifest, notes, pack, stats, training


def test_wilson_at_the_ends_and_in_the_middle():
    low, high = stats.wilson(0, 20)
    assert low == 0 and abs(high - 0.1611) < 1e-3
    low, high = stats.wilson(50, 100)
    assert abs(low - 0.4038) < 1e-3 and abs(high - 0.5962) < 1e-3


def test_auc_counts_pairs():
    assert stats.auc(np.array([0.9, 0.4]), np.array([0.5, 0.1]))[0] == 0.75
    assert stats.auc(np.array([0.5]), np.array([0.5]))[0] == 0.5


def test_the_threshold_rejects_no_more_than_asked():
    live = np.linspace(0, 1, 101)
    cut = stats.threshold_at_bpcer(live, 0.05)
    assert (live < cut).mean() <= 0.05 < (live < cut + 0.02).mean()


def test_the_self_test_input_follows_the_formula():
    got = manifest.synthetic((1, 3, 2, 2), 7, -2.0, 2.0).ravel()
    for i, v in enumerate(got):
        assert abs(v - (-2.0 + 4.0 * (((i * 2654435761 + 7 * 40503) % 2 ** 32) / 2 ** 32))) < 1e-6


def test_sections_are_toml():
    text = manifest.section("[[model]]", {"name": 'a "quoted" name', "size": 3, "fetchable": False, "mean": [0.5, 0.25], "crop": {"rule": "letterbox", "longest": [256, 128]}})
    entry = tomllib.loads(text)["model"][0]
    assert entry == {"name": 'a "quoted" name', "size": 3, "fetchable": False, "mean": [0.5, 0.25], "crop": {"rule": "letterbox", "longest": [256, 128]}}


def test_no_pack_without_hand_written_notes_or_test_figures(tmp_path, monkeypatch):
    work, target = tmp_path / "work", tmp_path / "target"
    monkeypatch.setattr(notes, "LIVENESS_FIRST", notes.BLANK)
    for name in [n for n in vars(notes) if n.isupper() and n not in ("BLANK", "LIVENESS_FIRST")]:
        monkeypatch.setattr(notes, name, "written")
    with pytest.raises(ValueError, match="LIVENESS_FIRST"):
        pack.assemble(work, target, work)
    monkeypatch.setattr(notes, "LIVENESS_FIRST", "written")
    with pytest.raises(ValueError, match="detector-val.json, detector-test.json"):
        pack.assemble(work, target, work)
    assert not target.exists()


def test_the_check_is_advisory_below_the_figure_it_needs():
    assert liveness_card.good_enough({"auc context live against print + replay": "0.912 [0.85, 0.97]"})
    assert not liveness_card.good_enough({"auc context live against print + replay": "0.807 [0.71, 0.90]"})
    assert not liveness_card.good_enough({})


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(tmp_path):
    import torch
    from torch import nn

    def batches(step):
        while True:
            yield (torch.from_numpy(np.random.default_rng(step).normal(size=(4, 3)).astype(np.float32)),)
            step += 1

    def loss_of(net, batch):
        loss = net(batch[0]).square().mean()
        return loss, {"loss": loss.item()}

    def make(name, stops):
        training.seed_everything(1)
        net = nn.Linear(3, 2)
        initial = {k: v.clone() for k, v in net.state_dict().items()}
        for stop in stops:
            net.load_state_dict(initial)
            # The schedule depends on the final count, so a stop is a crash at a checkpoint, not a shorter run.
            crash = (lambda n, b, seen=[0]: (_ for _ in ()).throw(KeyboardInterrupt) if seen.__setitem__(0, seen[0] + 1) or seen[0] > 10 else loss_of(n, b)) if stop < 20 else loss_of
            try:
                out = training.run(net, batches, crash, 20, 0.01, tmp_path / name, save_every=10)
            except KeyboardInterrupt:
                pass
        return out

    one, two = make("one.pt", [20]), make("two.pt", [10, 20])
    for a, b in zip(one.state_dict().values(), two.state_dict().values()):
        torch.testing.assert_close(a, b)

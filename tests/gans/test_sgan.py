"""SGAN: its losses in closed form, which labels it uses, the networks of the authors' code."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from gancourse.data import load
from gancourse.gans import sgan
from gancourse.training import runtime, train

CFG = sgan.PRESETS["smoke"]


def batch(size=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    real = torch.rand(size, 1, 28, 28, generator=generator) * 2 - 1
    return {"real": real, "labels": torch.randint(10, (size,), generator=generator)}


def test_the_source_logit_is_that_of_k_plus_1_classes_with_the_last_logit_at_0():
    """D(x) = Z / (Z + 1) = 1 - p(fake) = sigmoid(logsumexp)."""
    logits = torch.randn(7, 10, generator=torch.Generator().manual_seed(0))
    whole = F.pad(logits, (0, 1)).softmax(1)  # an eleventh logit of 0
    real = sgan.source_logits(logits).sigmoid()
    z = logits.exp().sum(1)
    torch.testing.assert_close(real, z / (z + 1))
    torch.testing.assert_close(real, 1 - whole[:, 10])


def test_another_logit_of_fake_is_a_shift_of_all_logits():
    logits = torch.randn(7, 11, generator=torch.Generator().manual_seed(0))
    shifted = logits[:, :10] - logits[:, 10:]
    torch.testing.assert_close(sgan.source_logits(shifted).sigmoid(), 1 - logits.softmax(1)[:, 10])


def test_the_losses_without_labels_are_binary_cross_entropies():
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([0.7, 2.0])
    by_hand = F.binary_cross_entropy_with_logits(real, torch.ones(2))
    by_hand = by_hand + F.binary_cross_entropy_with_logits(fake, torch.zeros(2))
    assert sgan.d_loss(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-6)
    assert sgan.d_loss(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(math.log(4))
    assert sgan.d_loss(torch.tensor([-200.0]), torch.tensor([200.0])).item() == 400.0


def test_the_class_loss_counts_the_samples_with_a_label_alone():
    logits = torch.tensor([[0.0, math.log(3)], [5.0, -5.0], [0.0, math.log(3)]])
    known = sgan.class_loss(logits, torch.tensor([1, -1, 0]))
    assert known.item() == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)
    assert sgan.class_loss(logits, torch.tensor([-1, -1, -1])).item() == 0


def test_feature_matching_compares_means_and_not_samples():
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    assert sgan.g_loss(features, features.flip(0)).item() == pytest.approx(0, abs=1e-12)
    assert sgan.g_loss(features, features + 2).item() == pytest.approx(4, rel=1e-5)
    wide = features.mean(0) + 3 * (features - features.mean(0))  # the same mean, more spread
    assert sgan.g_loss(features, wide).item() == pytest.approx(0, abs=1e-12)


def test_the_first_samples_of_each_class_are_kept_and_no_later_one():
    labelled = sgan.FewLabels(replace(CFG, labels_per_class=2, sample_shape=(1,)))
    x = torch.arange(200.0)[:, None]
    y = torch.randint(10, (200,), generator=torch.Generator().manual_seed(0))
    for part in range(0, 200, 8):
        labelled.keep(x[part : part + 8], y[part : part + 8])
    for c in range(10):
        first = x[y == c][:2]
        assert torch.equal(labelled.x[2 * c : 2 * c + 2], first)
    assert labelled.y.tolist() == [c for c in range(10) for _ in range(2)] + [-1]
    state = {name: value.clone() for name, value in labelled.state_dict().items()}
    labelled.keep(x + 1000, (y + 1) % 10)
    after = labelled.state_dict()
    assert all(torch.equal(after[name], state[name]) for name in ("x", "y"))


def test_what_is_drawn_was_kept_and_each_of_it_is_drawn():
    labelled = sgan.FewLabels(replace(CFG, labels_per_class=2, sample_shape=(1,)))
    assert (labelled.draw(50)[1] == -1).all()
    labelled.keep(torch.arange(40.0)[:, None], torch.arange(40) % 10)
    x, y = labelled.draw(1000)
    assert torch.equal(x.squeeze(1).long() % 10, y)
    assert {*x.squeeze(1).tolist()} == {*range(20)}


def test_labels_after_the_first_few_change_nothing():
    """No leak: with all later labels wrong, training is the same bit for bit."""

    def go(wrong):
        run = runtime.start("cpu", 0)
        gan = sgan.build(replace(CFG, labels_per_class=2), run)
        for gan.step in range(6):
            data = batch(40, seed=gan.step)
            if wrong and (gan.labelled.met >= 2).all():
                data["labels"] = (data["labels"] + 1) % 10
            sgan.train_step(gan, data, run)
        assert (gan.labelled.met >= 2).all()
        return gan.netD.state_dict()

    right, wrong = go(False), go(True)
    assert all(torch.equal(right[name], wrong[name]) for name in right)


def test_a_run_uses_exactly_the_labels_that_its_config_says():
    data, run = load("digits"), runtime.start("cpu", 4)
    gan = sgan.build(replace(CFG, labels_per_class=3, steps=5), run)
    train(gan, sgan.train_step, data, run, steps=5, quiet=True)
    kept = gan.labelled.x[:-1].flatten(1)
    assert torch.bincount(gan.labelled.y[:-1]).tolist() == [3] * 10
    assert len(kept.unique(dim=0)) == 30
    for picture, label in zip(kept, gan.labelled.y, strict=False):
        same = (data.images().flatten(1) == picture).all(1)
        assert (data.labels[same] == label).all() and same.any()


def test_the_labels_reach_d_and_not_g():
    """G's update is the same whatever the labels are."""

    def gradients(labels):
        run = runtime.start("cpu", 0)
        gan = sgan.build(CFG, run)
        gan.opt_d.step = lambda: None  # so that G meets the same D
        data = batch() | {"labels": labels}
        torch.manual_seed(0)
        sgan.train_step(gan, data, run)
        return [[p.grad.clone() for p in net.parameters()] for net in (gan.netD, gan.netG)]

    one, other = torch.arange(20) % 10, (torch.arange(20) + 1) % 10
    (d_one, g_one), (d_other, g_other) = gradients(one), gradients(other)
    assert all(map(torch.equal, g_one, g_other))
    assert not all(map(torch.equal, d_one, d_other))


def test_the_paper_networks_have_the_sizes_of_the_authors_code():
    """Weights and biases, and the lengths that the last layers train."""
    cfg = sgan.PRESETS["paper"]

    def count(net):
        lengths = net.out.scale.numel()
        return sum(p.numel() for p in net.parameters()) - lengths, lengths

    assert count(sgan.Generator(cfg)) == (693_784, 784)
    assert count(sgan.Discriminator(cfg)) == (1_538_760, 10)
    assert (cfg.batch_size, cfg.steps, cfg.lr_d, cfg.betas) == (100, 300 * 600, 0.003, (0.5, 0.999))


def test_the_length_of_a_weight_vector_does_not_matter():
    layer, x = sgan.NormedLinear(5, 3), torch.randn(4, 5)
    before = layer(x)
    layer.v.data *= torch.tensor([[0.1], [1.0], [30.0]])
    torch.testing.assert_close(layer(x), before)
    layer(x).square().sum().backward()
    torch.testing.assert_close((layer.v.grad * layer.v).sum(1), torch.zeros(3), atol=1e-4, rtol=0)


def test_the_start_gives_hidden_units_mean_0_and_variance_1_and_leaves_the_weights():
    netD, x = sgan.Discriminator(replace(CFG, d_noise=(0.0, 0.0))), batch(200)["real"]
    before = {name: value.clone() for name, value in netD.named_parameters()}
    netD.start(x)
    h = x.flatten(1) / 2 + 0.5
    for layer in netD.hidden:
        y = layer(h)
        torch.testing.assert_close(y.mean(0), torch.zeros(32), rtol=0, atol=1e-4)
        torch.testing.assert_close(y.std(0), torch.ones(32), rtol=0, atol=1e-3)
        h = y.relu()
    assert all(torch.equal(value, before[name]) for name, value in netD.named_parameters())


def test_noise_disturbs_d_in_training_alone():
    netD, x = sgan.Discriminator(CFG), batch()["real"]
    assert not torch.equal(netD(x), netD(x))
    netD.eval()
    assert torch.equal(netD(x), netD(x))


def test_the_average_of_d_classifies_and_g_itself_draws():
    gan = sgan.build(CFG, runtime.start("cpu", 0))
    for weight in (*gan.netD.parameters(), *gan.netG.parameters()):
        weight.data.add_(0.1)
    x = batch()["real"]
    assert torch.equal(sgan.classify(gan, x), gan.ema.net(x))
    assert sgan.classify(gan, x).shape == (20, 10)
    z = sgan.draw_z(CFG, 3)
    assert torch.equal(sgan.sample(gan, 3, z=z), gan.netG.eval()(z))


def test_points_of_the_plane_are_samples_too():
    cfg = replace(CFG, sample_shape=(2,), num_classes=2, labels_per_class=1)
    run = runtime.start("cpu", 0)
    gan = sgan.build(cfg, run)
    losses = sgan.train_step(gan, {"real": torch.randn(8, 2), "labels": torch.arange(8) % 2}, run)
    assert all(value.isfinite() for value in losses.values())
    assert sgan.sample(gan, 5).shape == (5, 2)

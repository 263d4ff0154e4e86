"""The conditional GAN: losses in closed form, the label in both players, the paper's networks."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from gancourse.data.source import ImageData
from gancourse.gans import cgan
from gancourse.training import runtime
from gancourse.training.loop import train

SMOKE = replace(cgan.PRESETS["smoke"], mismatch=0.0)
TOY = replace(
    SMOKE,
    sample_shape=(1, 2, 2),
    num_classes=3,
    latent_dim=4,
    g_joint=32,
    d_dropout=(0.0, 0.0),
    lr_g=2e-3,
    lr_d=2e-3,
    betas=(0.5, 0.999),
    r1=0.0,
    ema_decay=0.95,
    steps=80,
)


def toy_data():
    """Three classes of 2x2 pictures that differ in brightness."""
    labels = torch.arange(300) % 3
    noise = torch.randint(-20, 20, (300, 1, 2, 2), generator=torch.Generator().manual_seed(0))
    pixels = (30 + 100 * labels[:, None, None, None] + noise).clamp(0, 255).to(torch.uint8)
    return ImageData(pixels, labels, "toy", ("dark", "grey", "bright"))


def trained(cfg):
    run = runtime.start("cpu", 0)
    gan = cgan.build(cfg, run)
    train(gan, cgan.train_step, toy_data(), run, quiet=True)
    return gan


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_d_loss_is_equation_2_with_its_sign_turned():
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([0.7, 2.0])
    by_hand = -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean())
    assert cgan.d_loss(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-6)
    zero = torch.zeros(3)
    assert cgan.d_loss(zero, zero).item() == pytest.approx(math.log(4))
    assert cgan.d_loss(zero, zero, zero, mismatch=0.3).item() == pytest.approx(math.log(4))


def test_half_a_share_of_mismatched_pairs_is_the_loss_of_gan_cls():
    """Reed et al. 2016, algorithm 1: log s_r + (log(1 - s_w) + log(1 - s_f)) / 2."""
    real, fake, wrong = torch.tensor([1.1]), torch.tensor([-0.4]), torch.tensor([0.6])
    s_r, s_f, s_w = (t.sigmoid().item() for t in (real, fake, wrong))
    by_hand = -(math.log(s_r) + (math.log(1 - s_w) + math.log(1 - s_f)) / 2)
    assert cgan.d_loss(real, fake, wrong, mismatch=0.5).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("logit", [-3.0, 0.0, 2.0])
def test_g_loss_has_the_gradient_of_the_closed_form(logit):
    p = 1 / (1 + math.exp(-logit))
    t = torch.tensor([logit], requires_grad=True)
    value = cgan.g_loss(t)
    value.backward()
    assert value.item() == pytest.approx(-math.log(p), abs=1e-6)
    assert t.grad.item() == pytest.approx(p - 1, abs=1e-6)


def test_the_losses_stay_finite_where_the_sigmoid_rounds():
    far = torch.tensor([-200.0, 200.0])
    assert cgan.d_loss(far, far, far, mismatch=0.5).isfinite()
    assert cgan.g_loss(torch.tensor([-200.0])).item() == pytest.approx(200.0)


def test_the_paper_networks_have_the_published_sizes():
    """Layer by layer from section 4.1, a bias in every layer."""
    cfg = cgan.PRESETS["paper"]
    of_g = (100 + 1) * 200 + (10 + 1) * 1000 + (1200 + 1) * 1200 + (1200 + 1) * 784
    of_d = (784 + 1) * 240 * 5 + (10 + 1) * 50 * 5 + (290 + 1) * 240 * 4 + (240 + 1)
    assert (of_g, of_d) == (2_413_984, 1_224_351)
    assert count(cgan.Generator(cfg)) == of_g
    assert count(cgan.Discriminator(cfg)) == of_d
    assert (cfg.batch_size, cfg.lr_g, cfg.lr_d, cfg.momentum) == (100, 0.1, 0.1, (0.5, 0.7))


def test_the_laptop_generator_ships_in_less_than_4_mb():
    assert count(cgan.Generator(cgan.PRESETS["laptop"])) * 2 < 4_000_000  # bytes, half precision


def test_sgd_is_annealed_as_published():
    cfg = replace(cgan.Config(), g_y_hidden=8, g_joint=8, d_joint=8, momentum_steps=10)
    gan, run = cgan.build(cfg, runtime.start("cpu", 0)), runtime.start("cpu", 0)
    batch = {"real": torch.zeros(4, 1, 28, 28), "labels": torch.arange(4)}
    for _ in range(5):
        cgan.train_step(gan, batch, run)
    group = gan.opt_g.param_groups[0]
    assert group["lr"] == pytest.approx(0.1 / 1.00004**5, rel=1e-9)
    assert group["momentum"] == pytest.approx(0.6)
    gan.schedule_g.last_epoch = cgan.Config().steps
    assert gan.schedule_g.get_lr() == [1e-6]  # the paper's last step size, reached at the end
    gan.schedule_g.last_epoch = cgan.Config().steps - 1_000
    assert gan.schedule_g.get_lr()[0] > 1e-6


def test_the_initial_weights_are_in_the_interval_of_the_first_gan():
    gan = cgan.build(replace(cgan.Config(), g_joint=64), runtime.start("cpu", 0))
    for net, width in ((gan.netG, 0.05), (gan.netD, 0.005)):
        for layer in net.modules():
            if isinstance(layer, nn.Linear):
                assert layer.weight.abs().max() <= width and layer.bias.abs().max() == 0


def test_d_depends_on_the_label():
    net = cgan.Discriminator(SMOKE).eval()
    x = torch.rand(10, 1, 28, 28) * 2 - 1
    logits = torch.stack([net(x, torch.full((10,), c)) for c in range(10)])  # (classes, N)
    assert (logits.std(0) > 1e-4).all()


def test_g_depends_on_the_label_and_on_the_noise():
    net = cgan.Generator(SMOKE).eval()
    z = torch.randn(10, SMOKE.latent_dim)
    one_z = net(z[:1].expand(10, -1), torch.arange(10)).flatten(1)
    one_class = net(z, torch.full((10,), 3)).flatten(1)
    assert torch.pdist(one_z).min() > 1e-2
    assert torch.pdist(one_class).min() > 1e-2


def test_the_label_gets_gradients_in_both_players():
    run = runtime.start("cpu", 0)
    gan = cgan.build(SMOKE, run)
    batch = {"real": torch.rand(20, 1, 28, 28) * 2 - 1, "labels": torch.arange(20) % 5}
    cgan.train_step(gan, batch, run)
    for net in (gan.netG, gan.netD):
        per_class = net.from_y.weight.grad.abs().sum(0)
        assert (per_class[:5] > 0).all() and (per_class[5:] == 0).all()  # 5 to 9 did not occur


def test_a_wrong_label_is_never_the_right_one_and_may_be_any_other():
    labels = torch.arange(3000) % 3
    wrong = cgan.wrong_labels(labels, 3)
    assert (wrong != labels).all()
    pairs = {(a, b) for a, b in zip(labels.tolist(), wrong.tolist(), strict=True)}
    assert pairs == {(a, b) for a in range(3) for b in range(3) if a != b}


@pytest.mark.parametrize("mismatch", [0.0, 0.5])
def test_after_some_training_a_mismatched_label_raises_d_loss(mismatch):
    gan = trained(replace(TOY, mismatch=mismatch))
    data, nobody = toy_data(), torch.full((1,), -30.0)
    x, labels = data.images(), data.labels
    with torch.no_grad():
        matched = cgan.d_loss(gan.netD.eval()(x, labels), nobody)
        wrong = cgan.d_loss(gan.netD(x, (labels + 1) % 3), nobody)
    assert wrong > matched + 0.1


def test_a_trained_generator_draws_the_class_asked_for():
    gan = trained(replace(TOY, steps=300))
    means = [
        cgan.sample(gan, 50, labels=torch.full((50,), c)).mean().item() for c in range(3)
    ]  # the data's are about -0.77, 0.02 and 0.8
    assert means[0] < -0.4 < means[1] < 0.4 < means[2]


def test_without_mismatch_d_never_sees_a_wrong_pair():
    gan, run = cgan.build(SMOKE, runtime.start("cpu", 0)), runtime.start("cpu", 0)
    batch = {"real": torch.zeros(20, 1, 28, 28), "labels": torch.arange(20) % 10}
    seen = []
    gan.netD.register_forward_hook(lambda net, inputs, output: seen.append(inputs[1]))
    cgan.train_step(gan, batch, run)
    assert len(seen) == 3 and all(torch.equal(labels, batch["labels"]) for labels in seen)
    seen.clear()
    gan.cfg = replace(SMOKE, mismatch=0.5)
    cgan.train_step(gan, batch, run)
    assert len(seen) == 4 and (seen[2] != batch["labels"]).all()


def test_samples_come_in_the_classes_asked_for_or_in_turn():
    gan = cgan.build(SMOKE, runtime.start("cpu", 0))
    z = cgan.draw_z(SMOKE, 12, torch.Generator().manual_seed(3))
    in_turn = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1])
    assert torch.equal(cgan.sample(gan, 12, seed=3), cgan.sample(gan, 12, z=z, labels=in_turn))
    assert torch.equal(cgan.sample(gan, 12, z=z), gan.ema.net(z, in_turn))  # the average draws
    assert not torch.equal(
        cgan.sample(gan, 12, z=z, labels=in_turn.flip(0)), gan.ema.net(z, in_turn)
    )


@pytest.mark.parametrize(("prior", "mean", "var"), [("uniform", 0.5, 1 / 12), ("normal", 0, 1)])
def test_the_priors_have_the_moments_that_they_say(prior, mean, var):
    z = cgan.draw_z(replace(SMOKE, prior=prior), 4000, torch.Generator().manual_seed(0))
    assert abs(z.mean() - mean) < 0.01 and abs(z.var() - var) < 0.01
    assert (z.min() >= 0 and z.max() <= 1) == (prior == "uniform")


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path):
    cfg, data = replace(TOY, mismatch=0.3, d_dropout=(0.2, 0.5), g_dropout=0.2), toy_data()

    def begin():
        run = runtime.start("cpu", 0)
        return cgan.build(cfg, run), run

    whole, run = begin()
    train(whole, cgan.train_step, data, run, steps=20, quiet=True)
    first, run = begin()
    train(first, cgan.train_step, data, run, steps=9, quiet=True, out_dir=tmp_path)
    again, run = begin()
    train(again, cgan.train_step, data, run, steps=20, quiet=True, out_dir=tmp_path, resume=True)
    for name in ("netG", "netD", "ema"):
        states = [getattr(gan, name).state_dict() for gan in (whole, again)]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0]), name


@pytest.mark.parametrize(("step", "penalised"), [(0, True), (1, False), (3, True)])
def test_r1_joins_ds_gradient_in_every_so_manieth_update(step, penalised):
    run = runtime.start("cpu", 0)
    cfg = replace(TOY, mismatch=0.0, r1=2.0, r1_every=3)
    gan, batch = cgan.build(cfg, run), toy_data().batch(0, 8, run)
    gan.step = step
    gradients = {}
    gan.opt_d.register_step_pre_hook(
        lambda *_: gradients.update({n: w.grad.clone() for n, w in gan.netD.named_parameters()})
    )
    twin = cgan.networks(cfg)["netD"]
    twin.load_state_dict(gan.netD.state_dict())
    torch.manual_seed(1)
    fake = gan.netG(cgan.draw_z(cfg, 8), batch["labels"]).detach()
    x = batch["real"].clone().requires_grad_(True)
    logits = twin(x, batch["labels"])
    loss = cgan.d_loss(logits, twin(fake, batch["labels"]))
    if penalised:
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        loss = loss + 2.0 * 3 * slope.square().flatten(1).sum(1).mean() / 2
    loss.backward()

    torch.manual_seed(1)
    cgan.train_step(gan, batch, run)
    for name, weight in twin.named_parameters():
        torch.testing.assert_close(gradients[name], weight.grad)

"""ACGAN: its losses in closed form, which player the class part reaches, the paper's networks."""

import math
from dataclasses import replace

import pytest
import torch

from gancourse.data import load
from gancourse.gans import acgan
from gancourse.training import runtime, train

CFG = acgan.PRESETS["smoke"]


def batch(size=8):
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(size, 1, 32, 32, generator=generator) * 2 - 1
    return {"real": real, "labels": torch.arange(size) % 10}


def test_the_adversarial_losses_are_those_of_the_first_gan():
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([0.7, 2.0])
    by_hand = -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean())
    assert acgan.d_loss(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-6)
    assert acgan.g_loss(fake).item() == pytest.approx(-fake.sigmoid().log().mean().item(), rel=1e-6)
    far = torch.tensor([-200.0, 200.0])
    assert acgan.d_loss(far, far).isfinite() and acgan.g_loss(far).item() == pytest.approx(100.0)


def test_the_class_loss_is_minus_the_log_probability_of_the_right_class():
    """Two classes, logits 0 and log 3: the probabilities are 1/4 and 3/4."""
    logits = torch.tensor([[0.0, math.log(3)]])
    assert acgan.class_loss(logits, torch.tensor([1])).item() == pytest.approx(-math.log(0.75))
    assert acgan.class_loss(logits, torch.tensor([0])).item() == pytest.approx(-math.log(0.25))
    assert acgan.class_loss(torch.zeros(4, 10), torch.arange(4)).item() == pytest.approx(
        math.log(10)
    )
    assert acgan.class_loss(torch.tensor([[300.0, 0.0]]), torch.tensor([1])).item() == 300.0


def test_the_gradient_of_the_class_loss_is_probability_minus_target():
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.tensor([3, 1, 4, 1, 5, 9])
    acgan.class_loss(logits, labels).backward()
    by_hand = (logits.detach().softmax(1) - torch.eye(10)[labels]) / 6
    torch.testing.assert_close(logits.grad, by_hand)


def test_a_surely_wrong_answer_has_the_full_gradient():
    """Of the loss on logits it is 1; with a softmax before it, next to nothing is left."""
    logits = torch.tensor([[20.0, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(acgan.class_loss(logits, torch.tensor([1])), logits)
    assert slope[0, 1].item() == pytest.approx(-1.0, abs=1e-6)


class Watched:
    """Losses as train_step sees them, and the gradient of each with respect to its logits."""

    def __init__(self, monkeypatch):
        self.calls = []
        real = acgan.class_loss

        def watched(class_logits, labels):
            if class_logits.requires_grad:
                class_logits.retain_grad()
            self.calls.append((class_logits, labels))
            return real(class_logits, labels)

        monkeypatch.setattr(acgan, "class_loss", watched)


def test_the_class_loss_reaches_d_for_real_and_for_fake_and_g_for_fake(monkeypatch):
    watched = Watched(monkeypatch)
    run = runtime.start("cpu", 0)
    gan, data = acgan.build(CFG, run), batch()
    acgan.train_step(gan, data, run)
    (real, real_labels), (fake, fake_labels), (again, again_labels) = watched.calls
    assert torch.equal(real_labels, data["labels"])
    assert torch.equal(fake_labels, again_labels) and not torch.equal(fake_labels, real_labels)
    for logits in (real, fake, again):
        assert logits.grad.abs().sum() > 0


def weight_gradient(gan, name):
    net, _, key = name.partition(".")
    return dict(getattr(gan, net).named_parameters())[key].grad


@pytest.mark.parametrize("name", ["netD.class_head.weight", "netG.project.weight"])
def test_the_class_part_counts_as_much_as_lambda_class_says(name):
    """The gradients are linear in the weight, for D's class head and for G."""
    found = []
    for weight in (0.0, 1.0, 2.0):
        run = runtime.start("cpu", 0)
        gan = acgan.build(replace(CFG, lambda_class=weight, dropout=0.0), run)
        gan.opt_d.step = lambda: None  # so that G meets the same D each time
        acgan.train_step(gan, batch(), run)
        found.append(weight_gradient(gan, name).clone())
    none, once, twice = found
    torch.testing.assert_close(twice - none, 2 * (once - none), rtol=1e-3, atol=1e-7)
    assert (once - none).abs().sum() > 0
    if "class_head" in name:
        assert none.abs().sum() == 0


def test_g_is_trained_through_d_and_d_is_not_trained_meanwhile():
    run = runtime.start("cpu", 0)
    gan = acgan.build(CFG, run)
    seen = {}
    real = gan.opt_g.step
    gan.opt_g.step = lambda: (
        seen.update(frozen=[p.requires_grad for p in gan.netD.parameters()]),
        real(),
    )
    acgan.train_step(gan, batch(), run)
    assert not any(seen["frozen"]) and all(p.requires_grad for p in gan.netD.parameters())


def test_the_paper_networks_have_the_sizes_of_the_appendix():
    """Layer by layer, by hand; batch norm has two weights a map and replaces the bias."""
    cfg = acgan.PRESETS["paper"]
    generator, discriminator = acgan.Generator(cfg), acgan.Discriminator(cfg)

    def count(net):
        return sum(p.numel() for p in net.parameters())

    assert count(generator) == (
        (110 + 1) * 384 * 4 * 4
        + 384 * 192 * 25
        + 2 * 192
        + 192 * 96 * 25
        + 2 * 96
        + 96 * 3 * 25
        + 3
    )
    norms = 2 * (32 + 64 + 128 + 256 + 512)
    convs = 3 * 16 + 16 * 32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 512
    assert count(discriminator) == convs * 9 + 16 + norms + (4 * 4 * 512 + 1) * 11
    assert (cfg.batch_size, cfg.steps, cfg.betas, cfg.dropout) == (100, 50_000, (0.5, 0.999), 0.5)


def test_the_shapes_follow_the_table():
    cfg = acgan.PRESETS["paper"]
    net, x, sides = acgan.Discriminator(cfg), torch.zeros(2, 3, 32, 32), []
    for conv in net.convs:
        x = conv(x)
        sides.append(x.shape[-1])
    assert sides == [16, 16, 8, 8, 4, 4]
    real_logits, class_logits = net(torch.zeros(2, 3, 32, 32))
    assert real_logits.shape == (2,) and class_logits.shape == (2, 10)
    z = acgan.draw_z(cfg, 2)
    assert acgan.Generator(cfg)(z, torch.tensor([0, 9])).shape == (2, 3, 32, 32)


def test_the_imagenet_networks_of_table_1_are_config_fields():
    cfg = replace(acgan.PRESETS["paper"], image_size=128, g_channels=(768, 384, 256, 192))
    with torch.device("meta"):
        net = acgan.Generator(cfg)
        x = net(torch.zeros(2, cfg.latent_dim), torch.tensor([0, 9]))
        real_logits, class_logits = acgan.Discriminator(cfg)(x)
    assert x.shape == (2, 3, 128, 128)
    assert real_logits.shape == (2,) and class_logits.shape == (2, 10)
    count = sum(p.numel() for p in net.parameters())
    convs = 25 * (768 * 384 + 384 * 256 + 256 * 192 + 192 * 3) + 3
    assert count == 111 * 768 * 8 * 8 + convs + 2 * (384 + 256 + 192)


def test_both_heads_share_every_layer_below():
    net = acgan.Discriminator(replace(CFG, dropout=0.0))
    x = batch()["real"]
    for head in range(2):
        net.zero_grad()
        net(x)[head].square().sum().backward()
        assert all(conv.weight.grad.abs().sum() > 0 for conv in net.convs)
    net.zero_grad()
    net(x)[0].sum().backward()
    assert net.class_head.weight.grad is None


def test_dropout_and_noise_work_in_training_alone():
    for setting in ({"dropout": 0.5}, {"dropout": 0.0, "activation_noise": 0.3}):
        net, x = acgan.Discriminator(replace(CFG, **setting)), batch()["real"]
        assert not torch.equal(net(x)[1], net(x)[1])
        net.eval()
        assert torch.equal(net(x)[1], net(x)[1])


def test_g_answers_to_the_class_and_to_the_noise():
    gan = acgan.build(CFG, runtime.start("cpu", 0))
    z = acgan.draw_z(CFG, 1).expand(10, -1)
    by_class = acgan.sample(gan, 10, z=z, labels=torch.arange(10))
    assert len({tuple(x.flatten().tolist()) for x in by_class}) == 10
    by_noise = acgan.sample(gan, 10, labels=torch.zeros(10, dtype=torch.long))
    assert len({tuple(x.flatten().tolist()) for x in by_noise}) == 10


def test_samples_come_from_the_average_where_there_is_one():
    gan = acgan.build(CFG, runtime.start("cpu", 0))
    for weight in gan.netG.parameters():
        weight.data.add_(0.1)
    z, labels = acgan.draw_z(CFG, 3), torch.tensor([1, 2, 3])
    gan.ema.net.eval()
    assert torch.equal(acgan.sample(gan, 3, z=z, labels=labels), gan.ema.net(z, labels))
    assert not torch.equal(acgan.sample(gan, 3, z=z, labels=labels), gan.netG(z, labels))


def test_a_run_that_was_interrupted_ends_bit_for_bit_as_one_that_was_not(tmp_path):
    data = load("digits").resized(32).first(64)
    cfg = replace(CFG, batch_size=16)

    def go(folder, *stops):
        for stop in stops:
            run = runtime.start("cpu", 3)
            gan = acgan.build(cfg, run)
            train(gan, acgan.train_step, data, run, steps=stop, out_dir=tmp_path / folder,
                  resume=True, log_every=1, checkpoint_every=2, quiet=True)  # fmt: skip
        return {
            f"{name}.{key}": value
            for name, part in gan.parts().items()
            if isinstance(part, torch.nn.Module)
            for key, value in part.state_dict().items()
        }

    whole, pieces = go("whole", 4), go("pieces", 2, 4)
    assert whole.keys() == pieces.keys()
    assert all(torch.equal(whole[key], pieces[key]) for key in whole)


def test_the_laptop_generator_fits_into_a_shipped_file():
    cfg = acgan.PRESETS["laptop"]
    halves = 2 * sum(v.numel() for v in acgan.Generator(cfg).state_dict().values())
    assert halves < 1_500_000

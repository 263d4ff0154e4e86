"""BicycleGAN: its losses in closed form, who learns from which, the authors' sizes."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from gancourse.data import DATASETS, load
from gancourse.errors import CourseError
from gancourse.gans import bicyclegan
from gancourse.training import runtime

TINY = replace(
    bicyclegan.PRESETS["smoke"],
    image_size=16,
    channels_A=2,
    latent_dim=3,
    g_channels=(4, 6, 8),
    dropout=0.0,
    e_channels=(4, 6),
    ndf=4,
    lambda_l1=10.0,
    lambda_kl=0.01,
    lambda_z=0.5,
    d_layers=1,
    batch_size=4,
)


def count(net):
    return sum(p.numel() for p in net.parameters())


def make(**changes):
    run = runtime.start("cpu", 0)
    return bicyclegan.build(replace(TINY, **changes), run), run


def pairs(n=4):
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(n, 2, 16, 16, generator=generator) * 2 - 1
    return {"input": x, "target": torch.rand(n, 3, 16, 16, generator=generator) * 2 - 1}


# Losses


def test_the_divergence_is_the_closed_form_for_any_batch():
    mu, logvar = torch.randn(5, 3), torch.randn(5, 3)
    one = torch.distributions.Normal(mu, (logvar / 2).exp())
    by_torch = torch.distributions.kl_divergence(one, torch.distributions.Normal(0.0, 1.0))
    loss = bicyclegan.kl_loss(mu, logvar)
    assert loss.item() == pytest.approx(by_torch.sum(1).mean().item(), rel=1e-5)
    again = bicyclegan.kl_loss(mu.repeat(7, 1), logvar.repeat(7, 1))
    assert again.item() == pytest.approx(loss.item(), rel=1e-5)
    zero = torch.zeros(4, 8)
    assert bicyclegan.kl_loss(zero, zero) == 0
    assert bicyclegan.kl_loss(zero + 1, zero).item() == pytest.approx(4)


def test_the_adversarial_losses_are_squared_distances_summed_over_the_scales():
    real = [torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[3.0]]])]
    fake = [torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[-1.0]]])]
    assert bicyclegan.d_loss(real, fake).item() == pytest.approx(0.5 + 4 + 2 + 1)
    assert bicyclegan.g_loss(fake).item() == pytest.approx(1 + 4)
    perfect = [torch.ones(2, 3, 3)], [torch.zeros(2, 3, 3)]
    assert bicyclegan.d_loss(*perfect) == 0
    unsure = [torch.full((2, 3, 3), 0.5)]
    assert bicyclegan.d_loss(unsure, unsure).item() == pytest.approx(0.5)


# Who learns from which loss


def gradients(**weights):
    """Return the gradients of G and of E in one step in which D rests, and the losses."""
    gan, run = make(**weights)
    gan.opt_d.step = lambda: None
    torch.manual_seed(1)
    log = bicyclegan.train_step(gan, pairs(), run)
    return [
        torch.cat([p.grad.flatten() for p in net.parameters()]) for net in (gan.netG, gan.netE)
    ], log


def test_e_does_not_learn_from_the_latent_loss_and_g_does():
    (g_with, e_with), _ = gradients(lambda_z=5.0)
    (g_without, e_without), _ = gradients(lambda_z=0.0)
    torch.testing.assert_close(e_with, e_without, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(g_with, g_without)
    (_, e_alone), _ = gradients(lambda_gan=0.0, lambda_l1=0.0, lambda_kl=0.0)
    assert not e_alone.any()


def test_the_gradients_are_those_of_the_papers_loss():
    (g, e), log = gradients()
    gan, _ = make()
    A, B = (rows[:2] for rows in pairs().values())
    torch.manual_seed(1)
    mu, logvar = gan.netE(B)
    z_enc = mu + (logvar / 2).exp() * torch.randn_like(mu)
    z = torch.randn_like(mu)
    fake_enc, fake = gan.netG(A, z_enc), gan.netG(A, z)
    loss = sum((s - 1).square().mean() for s in (*gan.netD(A, fake_enc), *gan.netD2(A, fake)))
    loss = loss + 10 * (B - fake_enc).abs().mean()
    loss = loss + 0.01 * (mu**2 + logvar.exp() - 1 - logvar).sum() / (2 * 2)
    latent = (gan.netE(fake)[0] - z).abs().mean()
    mine = torch.autograd.grad(loss + 0.5 * latent, [*gan.netG.parameters()], retain_graph=True)
    torch.testing.assert_close(g, torch.cat([x.flatten() for x in mine]), rtol=1e-4, atol=1e-6)
    mine = torch.autograd.grad(loss, [*gan.netE.parameters()])
    torch.testing.assert_close(e, torch.cat([x.flatten() for x in mine]), rtol=1e-4, atol=1e-6)
    assert log["G/latent"].item() == pytest.approx(latent.item(), rel=1e-5)


def test_d_meets_encoded_outputs_and_d2_those_of_random_z_beside_other_pairs():
    gan, run = make(conditional=True)
    seen = {"netD": [], "netD2": []}
    for name, calls in seen.items():
        getattr(gan, name).register_forward_pre_hook(
            lambda _, given, calls=calls: calls.append(given)
        )
    batch = pairs()
    (A, A_other), (B, B_other) = (rows.split(2) for rows in batch.values())
    bicyclegan.train_step(gan, batch, run)
    (real, fake, of_g), (real2, fake2, of_g2) = seen.values()
    assert torch.equal(real[0], A) and torch.equal(real[1], B)
    assert torch.equal(real2[0], A_other) and torch.equal(real2[1], B_other)
    assert torch.equal(fake[1], of_g[1]) and torch.equal(fake2[1], of_g2[1])
    assert all(torch.equal(given[0], A) for given in (fake, of_g, fake2, of_g2))
    assert not (fake[1].requires_grad or fake2[1].requires_grad)
    assert of_g[1].requires_grad and of_g2[1].requires_grad


def test_without_the_first_cycle_nobody_teaches_e():
    gan, run = make(lambda_gan=0.0, lambda_l1=0.0, lambda_kl=0.0)
    before = [p.clone() for p in gan.netE.parameters()]
    bicyclegan.train_step(gan, pairs(), run)
    assert all(map(torch.equal, before, gan.netE.parameters()))


# Networks


def test_the_paper_networks_have_the_authors_sizes():
    """54.8 M (54.4 M with z at the input alone), 2.59 M, and 3.46 M twice.

    Summed by hand from the authors' ``G_Unet_add_all`` with 8 levels, ``E_ResNet`` with 5 blocks
    and ``D_NLayersMulti``: kernels with biases, norms without weights.
    """

    def conv(a, b, k):
        return a * b * k * k + b

    cfg, widths = bicyclegan.PRESETS["paper"], (3, 64, 128, 256, 512, 512, 512, 512, 512)
    assert cfg.g_channels == widths[1:] and cfg.latent_dim == 8
    for everywhere, size in ((True, 54_794_627), (False, 54_417_795)):
        expected = sum(
            conv(a + 8 * (everywhere or i == 0), b, 4) for i, (a, b) in enumerate(pairwise(widths))
        )
        expected += conv(512, 512, 4)
        expected += sum(conv(2 * b, a, 4) for a, b in pairwise(widths[:-1]))
        with torch.device("meta"):
            net = bicyclegan.Generator(replace(cfg, z_everywhere=everywhere))
        assert count(net) == expected == size
    blocks = ((64, 128), (128, 192), (192, 256), (256, 256))
    expected = conv(3, 64, 4) + 2 * (256 * 8 + 8)
    expected += sum(conv(a, a, 3) + conv(a, b, 3) + conv(a, b, 1) for a, b in blocks)
    assert count(bicyclegan.Encoder(cfg)) == expected == 2_590_032
    expected = sum(
        conv(3, n, 4) + conv(n, 2 * n, 4) + conv(2 * n, 4 * n, 4) + conv(4 * n, 8 * n, 4)
        + conv(8 * n, 1, 4)
        for n in (64, 32)
    )  # fmt: skip
    assert count(bicyclegan.Discriminator(cfg)) == expected == 3_458_978


def test_the_paper_preset_has_the_published_numbers():
    cfg = bicyclegan.PRESETS["paper"]
    assert (cfg.lambda_l1, cfg.lambda_kl, cfg.lambda_z) == (10, 0.01, 0.5)
    assert (cfg.lr, cfg.betas, cfg.batch_size, cfg.steps) == (2e-4, (0.5, 0.999), 2, 400 * 400 // 2)
    with torch.device("meta"):
        nets = bicyclegan.networks(cfg)
        x = torch.zeros(1, 3, 256, 256)
        assert nets["netG"](x, torch.zeros(1, 8)).shape == x.shape
        assert [s.shape[1:] for s in nets["netD"](x, x)] == [(30, 30), (14, 14)]
        assert nets["netE"].blocks(nets["netE"].first(x)).shape == (1, 256, 8, 8)
        dropped = [
            m for norm in nets["netG"].up_norms for m in norm if isinstance(m, torch.nn.Dropout)
        ]
        assert len(dropped) == 3


@pytest.mark.parametrize("preset", ["smoke", "laptop"])
def test_shapes_fit_the_data(preset):
    cfg = replace(bicyclegan.PRESETS[preset], channels_A=1)
    with torch.device("meta"):
        nets, size = bicyclegan.networks(cfg), (cfg.image_size, cfg.image_size)
        x, y = torch.zeros(2, 1, *size), torch.zeros(2, 3, *size)
        assert nets["netG"](x, torch.zeros(2, cfg.latent_dim)).shape == y.shape
        assert all(s.ndim == 3 and s.numel() for s in nets["netD"](x, y))
        assert [v.shape for v in nets["netE"](y)] == [(2, cfg.latent_dim)] * 2


def test_instance_norm_cancels_z_but_for_the_border():
    """What is the same at every place moves the mean of a channel, which the norm subtracts."""
    torch.manual_seed(0)
    conv, norm = torch.nn.Conv2d(5, 6, 4, 2, 1), bicyclegan.InstanceNorm()
    x = torch.randn(2, 2, 16, 16)
    z, other = (torch.randn(2, 3, 1, 1).expand(-1, -1, 16, 16) for _ in range(2))

    def normed(z):
        return norm(conv(torch.cat([x, z], 1))), conv(torch.cat([x, z], 1))

    (here, raw), (there, raw_other) = normed(z), normed(other)
    inside = (raw - raw_other)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(inside, inside[:, :, :1, :1].expand_as(inside))
    circular = torch.nn.Conv2d(5, 6, 4, 2, 1, padding_mode="circular")
    torch.testing.assert_close(
        norm(circular(torch.cat([x, z], 1))),
        norm(circular(torch.cat([x, other], 1))),
        rtol=1e-3,
        atol=1e-4,
    )
    assert not torch.allclose(here, there, atol=1e-2)


def test_only_the_conditional_d_sees_the_input():
    x, y = pairs().values()
    for conditional in (True, False):
        netD = make(conditional=conditional)[0].netD
        assert torch.equal(netD(x, y)[0], netD(-x, y)[0]) is not conditional


def test_the_second_scale_has_half_the_side_and_half_the_channels():
    netD = make()[0].netD
    first, second = netD.scales
    assert first[0].out_channels == 2 * second[0].out_channels
    y = pairs()["target"]
    half = F.avg_pool2d(y, 3, 2, 1, count_include_pad=False)
    assert torch.equal(netD(None, y)[1], second(half).squeeze(1))


def test_z_decides_the_output_and_another_pictures_style_can_be_taken():
    gan, _ = make(ema_decay=0.9)
    x, y = pairs().values()
    z = bicyclegan.encode(gan, y)
    assert z.shape == (4, 3) and not z.requires_grad
    torch.testing.assert_close(z, gan.ema_e.net(y)[0])
    taken = bicyclegan.sample(gan, input=x, z=z.flip(0))
    assert torch.equal(taken, gan.ema.net.eval()(x, z.flip(0)))
    assert not torch.equal(taken, bicyclegan.sample(gan, input=x, z=z))


def test_dropout_acts_in_training_alone():
    gan, _ = make(dropout=0.5, dropout_blocks=1)
    x, z = pairs()["input"], torch.zeros(4, 3)
    assert not torch.equal(gan.netG(x, z), gan.netG(x, z))
    one, other = (bicyclegan.sample(gan, input=x, z=z, seed=seed) for seed in (1, 2))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 20}, "multiple of 8"),
        ({"g_channels": (4,)}, "two or more"),
        ({"d_layers": 3}, "leave nothing of 16 pixels"),
        ({"batch_size": 1}, "half of a batch"),
        ({"lambda_gan": 0.0, "lambda_gan2": 0.0, "lambda_l1": 0.0}, "learn nothing"),
    ],
)
def test_settings_that_do_not_fit_are_explained(changes, message):
    with pytest.raises(CourseError, match=message):
        make(**changes)


# Training


@pytest.mark.parametrize("name", ["map2looks:2", "edges2fruits", "noto2fluent", "sketch2face:8"])
def test_every_kind_of_pairs_can_be_trained_on(name):
    data = load(name, limit=8, image_size=32).take("input", "target")
    cfg, run = bicyclegan.configure("smoke", data.fields), runtime.start("cpu", 0)
    log = bicyclegan.train_step(bicyclegan.build(cfg, run), data.batch(0, 8, run), run)
    assert all(value.isfinite() for value in log.values())


@pytest.mark.parametrize("name", ["facades", "maps", "edges2shoes"])
def test_the_papers_data_have_what_it_takes(name):
    assert {*bicyclegan.TAKES} <= {*DATASETS[name].gives}


def test_z_comes_to_say_what_the_input_leaves_open():
    """Black and white answers to one input: encoded z tells them apart."""
    gan, run = make(lr=5e-3, lambda_kl=0.001, init_gain=1.0, steps=60)
    flat = torch.tensor([-0.9, 0.9, -0.9, 0.9, 0.9, -0.9, 0.9, -0.9])
    batch = {
        "input": torch.zeros(8, 2, 16, 16),
        "target": flat.view(-1, 1, 1, 1).expand(-1, 3, 16, 16),
    }
    logs = [bicyclegan.train_step(gan, batch, run) for _ in range(60)]
    assert logs[-1]["G/l1"] < 0.4 * logs[0]["G/l1"] and not math.isnan(logs[-1]["E/kl"])

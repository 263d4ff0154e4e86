"""SPADE: its losses in closed form, what its norm does to a map, the published sizes."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gancourse.data import DATASETS, load
from gancourse.errors import CourseError
from gancourse.files.weights import shapes_only
from gancourse.gans import spade
from gancourse.trained import frozen_for
from gancourse.training import runtime

TINY = replace(
    spade.PRESETS["smoke"],
    image_size=16,
    num_classes=3,
    latent_dim=3,
    g_channels=(6, 4, 4),
    g_hidden=5,
    e_channels=(4, 6),
    ndf=4,
    d_layers=2,
    lambda_vgg=0.0,
    batch_size=4,
)


def count(net):
    return sum(p.numel() for p in net.parameters())


def make(**changes):
    run = runtime.start("cpu", 0)
    return spade.build(replace(TINY, **changes), run, **frozen_for(spade)), run


def rows(n=4):
    generator = torch.Generator().manual_seed(3)
    maps = torch.randint(3, (n, 16, 16), generator=generator)
    return {"real": torch.rand(n, 3, 16, 16, generator=generator) * 2 - 1, "map": maps}


# Losses


def test_the_hinge_loss_stops_at_the_margin_and_is_a_mean_over_the_scales():
    real = [torch.tensor([[[[2.0, 0.0]]]]), torch.tensor([[[[1.0]]]])]
    fake = [torch.tensor([[[[-3.0, 0.5]]]]), torch.tensor([[[[-1.0]]]])]
    assert spade.d_loss(real, fake).item() == pytest.approx((0.5 + 0.75 + 0 + 0) / 2)
    assert spade.g_loss(fake).item() == pytest.approx((1.25 + 1) / 2)
    unsure = [torch.zeros(2, 1, 3, 3)]
    assert spade.d_loss(unsure, unsure).item() == pytest.approx(2)


def test_scores_beyond_the_margin_have_no_gradient_for_d_and_always_one_for_g():
    scores = torch.tensor([-2.0, -0.5, 0.5, 2.0], requires_grad=True)
    (of_real,) = torch.autograd.grad(spade.d_loss([scores], [torch.zeros(1)]), scores)
    (of_fake,) = torch.autograd.grad(spade.d_loss([torch.zeros(1)], [scores]), scores)
    (of_g,) = torch.autograd.grad(spade.g_loss([scores]), scores)
    assert of_real.tolist() == [-0.25, -0.25, -0.25, 0] and of_fake.tolist() == [
        0,
        0.25,
        0.25,
        0.25,
    ]
    assert of_g.tolist() == [-0.25] * 4


def test_the_divergence_is_the_closed_form_for_any_batch():
    mu, logvar = torch.randn(5, 3), torch.randn(5, 3)
    one = torch.distributions.Normal(mu, (logvar / 2).exp())
    by_torch = torch.distributions.kl_divergence(one, torch.distributions.Normal(0.0, 1.0))
    loss = spade.kl_loss(mu, logvar)
    assert loss.item() == pytest.approx(by_torch.sum(1).mean().item(), rel=1e-5)
    again = spade.kl_loss(mu.repeat(7, 1), logvar.repeat(7, 1))
    assert again.item() == pytest.approx(loss.item(), rel=1e-5)


def test_features_are_compared_layer_by_layer_and_averaged_over_the_scales():
    a = [[torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 2, 2)], [torch.zeros(1, 2, 2, 2)]]
    b = [[torch.ones(1, 2, 4, 4), torch.ones(1, 3, 2, 2) * 2], [torch.ones(1, 2, 2, 2) * 4]]
    assert spade.feature_loss(a, b).item() == pytest.approx((1 + 2 + 4) / 2)
    assert spade.feature_loss(b, b) == 0


def test_the_perceptual_loss_counts_each_map_twice_as_much_as_the_finer_one():
    class Phi(nn.Module):
        def encode(self, x):
            return [x * k for k in (1.0, 10.0, 100.0)]

    fake, real = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    loss = spade.perceptual_loss(fake, real, Phi())
    assert loss.item() == pytest.approx(100 + 10 / 2 + 1 / 4)


# The norm


def test_without_scale_and_shift_it_is_batch_norm():
    torch.manual_seed(0)
    layer = spade.SPADE(6, 3, 5)
    for p in layer.modulate.parameters():
        nn.init.zeros_(p)
    h, m = torch.randn(4, 6, 8, 8) * 3 + 1, F.one_hot(rows()["map"], 3).movedim(3, 1).float()
    plain = F.batch_norm(h, None, None, training=True)
    torch.testing.assert_close(layer(h, m), plain, rtol=1e-4, atol=1e-5)


def test_a_map_of_one_class_scales_and_shifts_alike_at_every_inner_place():
    torch.manual_seed(0)
    layer = spade.SPADE(6, 3, 5)
    m = F.one_hot(torch.tensor([0, 2]), 3).float()[:, :, None, None].expand(-1, -1, 8, 8)
    gamma, beta = layer.modulate(F.relu(layer.shared(m))).chunk(2, 1)
    for values in (gamma, beta):
        inside = values[:, :, 2:-2, 2:-2]
        torch.testing.assert_close(inside, inside[:, :, :1, :1].expand_as(inside))
    assert not torch.allclose(gamma[0], gamma[1], atol=1e-2)


def test_a_map_is_brought_to_the_size_of_what_is_normalised_and_stays_one_hot():
    layer, seen = spade.SPADE(6, 3, 5), []
    layer.shared.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    m = F.one_hot(rows()["map"], 3).movedim(3, 1).float()
    layer(torch.randn(4, 6, 4, 4), m)
    assert seen[0].shape == (4, 3, 4, 4)
    assert torch.equal(seen[0].sum(1), torch.ones(4, 4, 4)) and {*seen[0].unique().tolist()} == {
        0,
        1,
    }


def test_instance_norm_erases_a_map_of_one_class_and_spade_does_not():
    """The closed form of section 3: the conv of a constant is one, and its mean is subtracted."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 6, 3, padding=1, padding_mode="circular")
    flat = F.one_hot(torch.arange(3), 3).float()[:, :, None, None].expand(-1, -1, 8, 8)
    assert spade.InstanceNorm()(conv(flat)).abs().max() < 1e-2
    leaky = nn.Conv2d(3, 6, 3, padding=1)  # zeros around the map are no class
    assert spade.InstanceNorm()(leaky(flat)).abs().max() > 0.5
    layer = spade.SPADE(6, 3, 5)
    h = torch.randn(1, 6, 8, 8).expand(3, -1, -1, -1)
    out = layer(h, flat)
    assert (out[0] - out[1]).abs().mean() > 0.05


# Who learns from what


def test_the_gradients_are_those_of_the_papers_loss():
    gan, run = make(lambda_feat=10.0, lambda_kl=0.05)
    other, _ = make(lambda_feat=10.0, lambda_kl=0.05)
    gan.opt_d.step = lambda: None
    torch.manual_seed(1)
    log = spade.train_step(gan, rows(), run)
    x, m = rows().values()
    torch.manual_seed(1)
    mu, logvar = other.netE(x)
    fake = other.netG(m, mu + (logvar / 2).exp() * torch.randn_like(mu))
    other.netD(m.repeat(2, 1, 1), torch.cat([x, fake.detach()]))  # spectral norm moves on
    of_real, of_fake = other.netD(m, x), other.netD(m, fake)
    adv = -sum(s[-1].mean() for s in of_fake) / 2
    near = sum(
        (a - b.detach()).abs().mean()
        for s, t in zip(of_fake, of_real, strict=True)
        for a, b in zip(s[:-1], t[:-1], strict=True)
    )
    kl = (mu**2 + logvar.exp() - 1 - logvar).sum() / (2 * len(x))
    loss = adv + 10 * near / 2 + 0.05 * kl
    nets = ("netG", "netE")
    weights = [p for net in nets for p in getattr(other, net).parameters()]
    wanted = torch.autograd.grad(loss, weights)
    found = [p.grad for net in nets for p in getattr(gan, net).parameters()]
    for mine, true in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, true, rtol=1e-2, atol=1e-4)
    assert log["G/features"].item() == pytest.approx(near.item() / 2, rel=1e-3)
    assert log["E/kl"].item() == pytest.approx(kl.item(), rel=1e-4)


def test_d_sees_real_and_fake_in_one_batch_with_their_maps():
    gan, run = make()
    seen = []
    gan.netD.register_forward_pre_hook(lambda _, given: seen.append(given))
    batch = rows()
    spade.train_step(gan, batch, run)
    (maps, both), (m, x), (m_too, fake) = seen
    assert torch.equal(maps, batch["map"].repeat(2, 1, 1)) and torch.equal(both[:4], batch["real"])
    assert torch.equal(both[4:], fake) and not both.requires_grad and fake.requires_grad
    assert torch.equal(x, batch["real"]) and torch.equal(m, m_too)


def test_the_perceptual_loss_changes_gs_gradient_and_is_logged():
    logs = {}
    for weight in (0.0, 5.0):
        gan, run = make(lambda_vgg=weight)
        torch.manual_seed(1)
        logs[weight] = spade.train_step(gan, rows(), run), gan.netG.last.weight.grad.clone()
    assert "G/perceptual" not in logs[0.0][0] and logs[5.0][0]["G/perceptual"] > 0
    assert not torch.allclose(logs[0.0][1], logs[5.0][1])


# Networks


def sizes(cfg, style):
    """Sum the weights of G by hand: 7 blocks of convolutions, and the layers of SPADE in them."""

    def conv(a, b, k, bias=True):
        return a * b * k * k + b * bias

    def norm(c):
        return conv(cfg.num_classes, 128, 3) + 2 * conv(128, c, 3)

    convs = norms = 0
    for a, b in pairwise((1024, 1024, 1024, 1024, 512, 256, 128, 64)):
        middle = min(a, b)
        convs += conv(a, middle, 3) + conv(middle, b, 3)
        norms += norm(a) + norm(middle)
        if a != b:
            convs += conv(a, b, 1, bias=False)
            norms += norm(a)
    first = 256 * 1024 * 64 + 1024 * 64 if style else conv(cfg.num_classes, 1024, 3)
    return convs + norms + first + conv(64, 3, 3), norms


def test_the_paper_networks_have_the_authors_sizes():
    """97.5 M in G, of which 29.1 M in SPADE; 112.6 M with a style; 5.9 M in D; 10.5 M in E."""
    cfg = spade.PRESETS["paper"]
    for style, size in ((False, 97_480_899), (True, 112_626_883)):
        expected, of_norms = sizes(cfg, style)
        with shapes_only():
            net = spade.Generator(replace(cfg, style=style))
        assert count(net) == expected == size
        layers = [layer for layer in net.modules() if isinstance(layer, spade.SPADE)]
        assert sum(map(count, layers)) == of_norms == 29_054_592 and len(layers) == 18
    with shapes_only():
        assert count(spade.Discriminator(cfg)) == 5_904_514
        assert count(spade.Encoder(cfg)) == 10_463_424


def test_the_paper_preset_has_the_published_numbers():
    cfg = spade.PRESETS["paper"]
    assert (cfg.lambda_feat, cfg.lambda_vgg, cfg.lambda_kl) == (10, 10, 0.05)
    assert (cfg.lr_g, cfg.lr_d, cfg.betas, cfg.batch_size) == (1e-4, 4e-4, (0, 0.999), 32)
    with shapes_only():
        nets = spade.networks(cfg)
        m, x = torch.zeros(1, 256, 256, dtype=torch.int64), torch.zeros(1, 3, 256, 256)
        seen = []
        for block in nets["netG"].blocks:
            block.register_forward_hook(lambda *given: seen.append(tuple(given[2].shape[1:])))
        assert nets["netG"](m, torch.zeros(1, 256)).shape == x.shape
        assert [side for _, side, _ in seen] == [8, 16, 16, 32, 64, 128, 256]
        assert [len(maps) for maps in nets["netD"](m, x)] == [5, 5]
        assert nets["netE"].layers(x).shape == (1, 512, 4, 4)


@pytest.mark.parametrize("preset", ["smoke", "laptop"])
def test_shapes_fit_the_data(preset):
    cfg = spade.PRESETS[preset]
    with shapes_only():
        nets, size = spade.networks(cfg), (cfg.image_size, cfg.image_size)
        m, x = torch.zeros(2, *size, dtype=torch.int64), torch.zeros(2, 3, *size)
        assert nets["netG"](m, torch.zeros(2, cfg.latent_dim)).shape == x.shape
        assert all(s[-1].shape[:2] == (2, 1) and s[-1].numel() for s in nets["netD"](m, x))
        assert [v.shape for v in nets["netE"](x)] == [(2, cfg.latent_dim)] * 2


def test_without_a_style_g_starts_from_the_map_and_no_z_changes_it():
    gan, run = make(style=False)
    one, other = (spade.sample(gan, map=rows()["map"], seed=seed) for seed in (1, 2))
    assert torch.equal(one, other)
    log = spade.train_step(gan, rows(), run)
    assert all(value.isfinite() for value in log.values())


def test_the_style_of_another_picture_can_be_taken():
    gan, _ = make(ema_decay=0.9)
    x, m = rows().values()
    z = spade.encode(gan, x)
    assert z.shape == (4, 3) and not z.requires_grad
    torch.testing.assert_close(z, gan.ema_e.net.eval()(x)[0])
    taken = spade.sample(gan, map=m, z=z.flip(0))
    assert not torch.equal(taken, spade.sample(gan, map=m, z=z))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 24}, "times a power of 2"),
        ({"g_channels": (4, 4)}, "a block more than doublings"),
        ({"g_start": 16}, "a block more than doublings"),
        ({"e_channels": (4, 4, 4, 4)}, "2 pixels or more"),
    ],
)
def test_settings_that_do_not_fit_are_explained(changes, message):
    with pytest.raises(CourseError, match=message):
        make(**changes)


# Training


def test_scenes_and_quilts_can_be_trained_on():
    for data in (load("scenes:8", image_size=32), load("map2quilt:8", image_size=32).b):
        data = data.take("real", "map")
        cfg, run = spade.configure("smoke", data.fields), runtime.start("cpu", 0)
        gan = spade.build(cfg, run, **frozen_for(spade))
        log = spade.train_step(gan, data.batch(0, 8, run), run)
        assert cfg.num_classes == 11 and all(value.isfinite() for value in log.values())


def test_ones_own_maps_have_what_it_takes():
    assert {*spade.TAKES} <= {*DATASETS["mapped"].gives} & {*DATASETS["scenes"].gives}


def test_the_map_comes_to_say_what_is_where():
    """Black, grey and white for three classes, in maps that were never met in training."""
    gan, run = make(lr_g=5e-3, lr_d=2e-3, init_gain=1.0, steps=150, g_channels=(8, 8, 8))
    shades = torch.tensor([-0.8, 0.0, 0.8])
    generator = torch.Generator().manual_seed(0)

    def blocks(n):
        maps = torch.randint(3, (n, 4, 4), generator=generator)
        maps = maps.repeat_interleave(4, 1).repeat_interleave(4, 2)
        return {"real": shades[maps][:, None].expand(-1, 3, -1, -1), "map": maps}

    for _ in range(150):
        log = spade.train_step(gan, blocks(8), run)
    new = blocks(8)
    drawn = spade.sample(gan, map=new["map"])
    far = (drawn - new["real"]).abs().mean().item()
    assert far < 0.25 and not math.isnan(log["D/adv"].item())

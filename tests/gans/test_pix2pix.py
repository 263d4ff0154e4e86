"""Pix2Pix: its losses in closed form, its patches, its tables as settings, the authors' sizes."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from gancourse.data.pairs import PairedImages
from gancourse.data.source import ImageData
from gancourse.errors import CourseError
from gancourse.files import statefile
from gancourse.gans import pix2pix
from gancourse.training import runtime
from gancourse.training.loop import train

TINY = replace(
    pix2pix.PRESETS["smoke"],
    image_size=16,
    channels_A=2,
    g_channels=(4, 4),
    dropout_blocks=1,
    d_channels=(4, 4),
    batch_size=4,
)


def count(net):
    return sum(p.numel() for p in net.parameters())


def make(**changes):
    run = runtime.start("cpu", 0)
    return pix2pix.build(replace(TINY, **changes), run), run


def pairs(n=4):
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(n, 2, 16, 16, generator=generator) * 2 - 1
    return {"input": x, "target": torch.rand(n, 3, 16, 16, generator=generator) * 2 - 1}


# Losses


def test_d_loss_is_half_the_cross_entropy():
    real, fake = torch.randn(2, 3, 5, 5), torch.randn(2, 3, 5, 5)
    by_hand = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    by_hand += F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    assert pix2pix.d_loss(real, fake).item() == pytest.approx(by_hand.item() / 2, rel=1e-6)
    unsure = torch.zeros(2, 3, 3)
    assert pix2pix.d_loss(unsure, unsure).item() == pytest.approx(math.log(2))


def test_g_loss_is_the_mean_over_patches_of_minus_the_log_probability():
    logits = torch.tensor([[[0.0, 2.0], [-3.0, 1.0]]])
    by_hand = sum(math.log1p(math.exp(-t)) for t in (0.0, 2.0, -3.0, 1.0)) / 4
    assert pix2pix.g_loss(logits).item() == pytest.approx(by_hand, rel=1e-6)


LOGGED = {
    "L1": {"G/l1", "G/l2"},
    "L2": {"G/l1", "G/l2"},
    "cGAN": {"D/adv", "D/prob_real", "D/prob_fake", "G/adv", "G/l1", "G/l2"},
}


@pytest.mark.parametrize("name", pix2pix.LOSSES)
def test_each_row_of_table_1_is_a_setting(name):
    """G's gradient is that of the loss that the row names, and D judges what the row says."""
    gan, run = make(**pix2pix.LOSSES[name], lr_d=0.0, dropout=0.0)
    batch = pairs()
    fake = gan.netG(batch["input"])
    expected = 0.0
    if "L1" in name:
        expected = expected + 100 * (fake - batch["target"]).abs().mean()
    if name == "L2":
        expected = expected + 100 * (fake - batch["target"]).square().mean()
    if "GAN" in name:
        expected = expected + F.softplus(-gan.netD(batch["input"], fake)).mean()
    grads = torch.autograd.grad(expected, list(gan.netG.parameters()))
    losses = pix2pix.train_step(gan, batch, run)
    for mine, wanted in zip(gan.netG.parameters(), grads, strict=True):
        torch.testing.assert_close(mine.grad, wanted, rtol=1e-4, atol=1e-6)
    assert set(losses) == LOGGED.get(name, LOGGED["cGAN"])
    unconditional = "GAN" in name and "cGAN" not in name
    assert gan.netD.layers[0].in_channels == (3 if unconditional else 5)


def test_only_the_conditional_d_sees_the_input():
    x, y = pairs()["input"], pairs()["target"]
    for conditional in (True, False):
        netD = make(conditional=conditional)[0].netD
        assert torch.equal(netD(x, y), netD(-x, y)) is not conditional


def test_without_the_adversarial_term_d_stays_as_it_is():
    gan, run = make(lambda_adv=0.0)
    before = [p.clone() for p in gan.netD.parameters()]
    pix2pix.train_step(gan, pairs(), run)
    assert all(map(torch.equal, before, gan.netD.parameters()))


def test_a_loss_without_any_term_is_refused():
    with pytest.raises(CourseError, match="learn nothing"):
        make(lambda_adv=0.0, lambda_l1=0.0)


# Networks


def test_the_paper_networks_have_the_authors_sizes():
    """54.414 M and 2.769 M, as junyanz/pytorch-CycleGAN-and-pix2pix prints for facades.

    Summed by hand from its ``UnetGenerator`` with 8 levels and ``NLayerDiscriminator`` with 3:
    4x4 kernels without bias, but for G's last layer and for D's first and last; two numbers per
    normalised channel.
    """
    cfg = pix2pix.PRESETS["paper"]
    down = [(3, 64), (64, 128), (128, 256), (256, 512)] + [(512, 512)] * 4
    up = [(512, 512)] + [(1024, 512)] * 3 + [(1024, 256), (512, 128), (256, 64), (128, 3)]
    norms = 128 + 256 + 4 * 512 + 4 * 512 + 256 + 128 + 64
    expected = 16 * sum(i * o for i, o in down + up) + 3 + 2 * norms
    assert count(pix2pix.Generator(cfg)) == expected == 54_413_955
    layers = [(6, 64), (64, 128), (128, 256), (256, 512), (512, 1)]
    expected = 16 * sum(i * o for i, o in layers) + 64 + 1 + 2 * (128 + 256 + 512)
    assert count(pix2pix.Discriminator(cfg)) == expected == 2_768_705


def test_the_paper_preset_has_the_published_numbers():
    cfg = pix2pix.PRESETS["paper"]
    assert (cfg.lr_g, cfg.lr_d, cfg.betas) == (2e-4, 2e-4, (0.5, 0.999))
    assert (cfg.lambda_l1, cfg.batch_size, cfg.steps) == (100, 1, 200 * 400)
    with torch.device("meta"):
        x = torch.zeros(1, 3, 256, 256)
        assert pix2pix.Generator(cfg)(x).shape == x.shape
        assert pix2pix.Discriminator(cfg)(x, x).shape == (1, 30, 30)


@pytest.mark.parametrize("size", pix2pix.PATCHES)
def test_a_patch_is_as_large_as_its_name(size):
    assert pix2pix.receptive_field(replace(pix2pix.Config(), **pix2pix.PATCHES[size])) == size


@pytest.mark.parametrize(
    "changes",
    [
        {"d_kernel": 1, "d_channels": (3, 3), "d_strides": (1, 1)},
        {"d_kernel": 2, "d_channels": (3,), "d_strides": (2,)},
        {"d_channels": (3,), "d_strides": (2,)},
        {"d_channels": (3, 3), "d_strides": (2, 1)},
        {"d_channels": (3, 3, 3), "d_strides": (2, 2, 1)},
    ],
)
def test_a_logit_depends_on_its_receptive_field_and_on_nothing_else(changes):
    """Norms apart, which look at the whole picture: here they are taken out."""
    cfg = replace(TINY, image_size=64, **changes)
    netD = pix2pix.Discriminator(cfg)
    for i in range(len(netD.norms)):
        netD.norms[i] = torch.nn.Identity()
    x = torch.rand(1, 2, 64, 64, requires_grad=True)
    logits = netD(x, torch.rand(1, 3, 64, 64))
    middle = logits.shape[1] // 2
    (slope,) = torch.autograd.grad(logits[0, middle, middle], x)
    touched = slope[0].abs().sum(0).nonzero()
    side = touched.max(0).values - touched.min(0).values + 1
    assert side.tolist() == [pix2pix.receptive_field(cfg)] * 2


def test_the_skips_carry_detail_that_the_bottleneck_has_not():
    """Each pixel of the input moves the output next to it, even with a deaf bottleneck."""
    for skips in (True, False):
        netG = make(skips=skips, dropout=0.0)[0].netG
        with torch.no_grad():
            netG.up[0].weight.zero_()
        a = pairs()["input"]
        assert torch.equal(netG(a), netG(-a)) is not skips


def test_each_picture_is_normalised_by_itself():
    """In batches, as the paper's batches of one are: its neighbours change nothing."""
    netG = make(dropout=0.0)[0].netG
    x = pairs()["input"]
    torch.testing.assert_close(netG(x)[:1], netG(x[:1]), rtol=1e-4, atol=1e-6)
    batch = make(dropout=0.0, norm="batch")[0].netG
    assert not torch.allclose(batch(x)[:1], batch(x[:1]), atol=1e-4)


def test_in_a_batch_of_one_both_norms_are_the_same():
    x = pairs(1)["input"]
    nets = [make(dropout=0.0, norm=norm)[0].netG for norm in pix2pix.NORMS]
    nets[1].load_state_dict(nets[0].state_dict(), strict=False)
    torch.testing.assert_close(nets[0](x), nets[1](x), rtol=1e-4, atol=1e-6)


def test_dropout_is_the_noise_when_sampling_too():
    gan, _ = make()
    x = pairs()["input"]
    first = pix2pix.sample(gan, input=x, seed=1)
    assert torch.equal(first, pix2pix.sample(gan, input=x, seed=1))
    assert not torch.equal(first, pix2pix.sample(gan, input=x, seed=2))
    still, _ = make(dropout=0.0)
    assert torch.equal(
        pix2pix.sample(still, input=x, seed=1), pix2pix.sample(still, input=x, seed=2)
    )


def test_the_average_is_what_samples():
    gan, _ = make(ema_decay=0.9)
    for p in gan.ema.parameters():
        p.zero_()
    assert not pix2pix.sample(gan, input=pairs()["input"]).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 18}, "multiple of 4"),
        ({"g_channels": ()}, "there must be a layer"),
        ({"d_strides": (2,)}, "one number each"),
        ({"d_channels": (), "d_strides": ()}, "at least one"),
        ({"d_channels": (4,) * 5, "d_strides": (2,) * 5}, "leave nothing of 16 pixels"),
        ({"norm": "layer"}, "there are: instance, batch"),
    ],
)
def test_settings_that_do_not_fit_are_explained(changes, message):
    with pytest.raises(CourseError, match=message):
        make(**changes)


# Training


@pytest.mark.parametrize("preset", ["smoke", "laptop"])
def test_shapes_fit_the_data(preset):
    cfg = replace(pix2pix.PRESETS[preset], channels_A=1)
    with torch.device("meta"):
        x = torch.zeros(2, 1, cfg.image_size, cfg.image_size)
        y = pix2pix.Generator(cfg)(x)
        assert y.shape == (2, 3, cfg.image_size, cfg.image_size)
        assert pix2pix.Discriminator(cfg)(x, y).shape[0] == 2


def test_l1_alone_learns_a_simple_rule():
    """The negative of a picture: what a regression must be able to learn."""
    gan, run = make(
        channels_A=3, g_channels=(16, 16), dropout=0.0, lr_g=5e-3, **pix2pix.LOSSES["L1"]
    )
    y = F.interpolate(pairs(16)["target"][:, :, :4, :4].sign(), scale_factor=4)
    first, *_, last = [
        pix2pix.train_step(gan, {"input": -y, "target": y}, run)["G/l1"] for _ in range(80)
    ]
    assert last < 0.5 * first


def test_a_resumed_run_ends_bit_for_bit_like_a_whole_one(tmp_path):
    """With dropout, whose random numbers go on where they were."""
    pixels = torch.arange(16 * 5 * 16 * 16).reshape(16, 5, 16, 16) % 256
    sides = (
        ImageData(p.byte().contiguous(), None, "stripes") for p in (pixels[:, :2], pixels[:, 2:])
    )
    data = PairedImages(*sides, "stripes", jitter=30, mirror=True)
    cfg = replace(TINY, ema_decay=0.9)
    for folder, stops in (("whole", [6]), ("halved", [3, 6])):
        for stop in stops:
            run = runtime.start("cpu", 1)
            gan = pix2pix.build(cfg, run)
            options = {"steps": stop, "out_dir": tmp_path / folder, "resume": True, "quiet": True}
            train(gan, pix2pix.train_step, data, run, log_every=1, **options)
    whole, halved = (
        statefile.flatten(statefile.load(tmp_path / folder / "checkpoint.safetensors")[0])
        for folder in ("whole", "halved")
    )
    assert whole[0] == halved[0]
    assert all(torch.equal(whole[1][key], halved[1][key]) for key in whole[1])

"""The exercises of lesson 6: Pix2Pix."""

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from gancourse.exercises import (
    exercise,
    expect,
    expect_names,
    expect_number,
    expect_same,
    multiple_choice,
    steps,
)
from gancourse.gans import pix2pix
from gancourse.training import runtime


@exercise("6.1", "Implement: D's loss, over patches")
def loss_of_d(d_loss):
    """Expect ``d_loss(real_logits, fake_logits)``."""
    right, zero = pix2pix.d_loss, torch.zeros(2, 3, 3)
    yield "a D that cannot tell the pairs apart pays log 2, not twice that"
    expect(d_loss(zero, zero), right(zero, zero))
    yield "a real pair that is taken for a fake costs more, and so does a fake taken for a real"
    expect(d_loss(zero - 2, zero), right(zero - 2, zero))
    expect(d_loss(zero, zero + 2), right(zero, zero + 2))
    yield "loss and gradient are right for any logits"
    for shape in ((4, 5, 5), (1, 30, 30), (3, 1, 1)):
        expect_same(d_loss, right, torch.randn(shape), torch.randn(shape))
    yield "it is right for logits of 200, too"
    expect_same(d_loss, right, zero - 200, zero + 200)


@loss_of_d.solution
def d_loss(real_logits, fake_logits):
    """Return half the cross-entropy of both kinds of pairs, a mean over patches."""
    return (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()) / 2


@exercise("6.2", "Implement: what G minimises")
def loss_of_g(generator_loss):
    """Expect ``generator_loss(netD, x, y, fake, lambda_l1)``."""
    run = runtime.start("cpu", 0)
    cfg = replace(pix2pix.PRESETS["smoke"], image_size=16, g_channels=(8, 8))
    netD = pix2pix.build(cfg, run).netD
    x, y, fake = (torch.rand(3, 3, 16, 16) * 2 - 1 for _ in range(3))

    yield "with lambda = 0 it is the adversarial loss alone, and D sees the pair x, fake"
    expect(generator_loss(netD, x, y, fake, 0.0), _loss_of_g(netD, x, y, fake, 0.0))
    yield "the weight multiplies the mean absolute error"
    expect(generator_loss(netD, x, y, fake, 7.0), _loss_of_g(netD, x, y, fake, 7.0))
    yield "loss and gradient are right"
    for weight in (0.0, 1.0, 30.0):
        expect_same(
            lambda x, y, fake, weight=weight: generator_loss(netD, x, y, fake, weight),
            lambda x, y, fake, weight=weight: _loss_of_g(netD, x, y, fake, weight),
            *(x, y, fake),
        )


def _loss_of_g(netD, x, y, fake, lambda_l1):
    return pix2pix.g_loss(netD(x, fake)) + lambda_l1 * F.l1_loss(fake, y)


@loss_of_g.solution
def generator_loss(netD, x, y, fake, lambda_l1):
    """Return equation 4 as G minimises it: -log D(x, fake), and L1 with its weight."""
    return F.softplus(-netD(x, fake)).mean() + lambda_l1 * (fake - y).abs().mean()


@exercise("6.3", "Predict: the receptive field of a logit")
def receptive_fields(answer):
    """Expect a dict of five whole numbers."""
    names = {"2, 1": (2, 1), "2, 2, 1": (2, 2, 1)}
    expected = {}
    for name, strides in names.items():
        cfg = replace(pix2pix.Config(), image_size=64, d_channels=(1,) * len(strides))
        cfg = replace(cfg, d_strides=strides)
        with torch.device("meta"):
            y = torch.zeros(1, 3, 64, 64)
            expected[f"logits {name}"] = pix2pix.Discriminator(cfg)(y, y).shape[-1]
        expected[f"field {name}"] = pix2pix.receptive_field(cfg)
    expected["field of 3s"] = pix2pix.receptive_field(replace(cfg, d_kernel=3))
    yield "the answer names all five"
    expect_names(answer, expected)
    for name, value in expected.items():
        yield f"{name} is right"
        if "logits" in name:
            hint = (
                "a stride of 2 halves the side; a stride of 1 with a kernel of 4 makes it one less"
            )
        else:
            hint = "from the last layer back: side = (side - 1) * stride + kernel, beginning with 1"
        expect_number(answer[name], value, hint, atol=0)


receptive_fields.solution(
    {
        "field 2, 1": 16,
        "logits 2, 1": 30,
        "field 2, 2, 1": 34,
        "logits 2, 2, 1": 14,
        "field of 3s": 23,
    },
    "From the last layer back: one logit sees 4; before a stride of 1, 4 + 3 = 7; before a stride "
    "of 2, (7 - 1) * 2 + 4 = 16; before another, (16 - 1) * 2 + 4 = 34. Forward, 64 becomes 32, "
    "then 31, then 30; with two strides of 2: 32, 16, 15, 14. With kernels of 3: 3, then 5, "
    "then (5 - 1) * 2 + 3 = 11, then (11 - 1) * 2 + 3 = 23.",
)


@exercise("6.4", "Modify: a quantile in place of the median")
def tilted(tilted_loss):
    """Expect ``tilted_loss(fake, real, q)``."""
    right, fake, real = tilted.answer, torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    yield "with q = 1/2 it is the L1 loss"
    expect(tilted_loss(fake, real, 0.5), F.l1_loss(fake, real))

    yield "a fake that is too low costs 2 q per unit, one too high 2 (1 - q)"
    zero = torch.zeros(1, 1, 1, 1)
    expect(tilted_loss(zero - 1, zero, 0.9), 1.8)
    expect(tilted_loss(zero + 1, zero, 0.9), 0.2)

    yield "the best single answer is the quantile q of all of them"
    answers = torch.linspace(0, 1, 101)
    for q in (0.1, 0.5, 0.8):
        costs = [float(tilted_loss(one.expand(101), answers, q)) for one in answers]
        best = answers[costs.index(min(costs))].item()
        assert abs(best - q) < 0.015, f"for q = {q} and answers from 0 to 1 it is {best:.2f}"

    yield "loss and gradient are right for any pictures and quantiles"
    for q in (0.5, 0.25, 0.9):
        expect_same(tilted_loss, right, fake, real, q)


@tilted.solution
def tilted_loss(fake, real, q):
    """Return the quantile loss, (): L1 with a weight for each sign of the error."""
    error = real - fake
    return 2 * torch.maximum(q * error, (q - 1) * error).mean()


def broken_step(gan, batch, run):
    """Update D, then G; it is faster than the real ``train_step``, and G learns less."""
    x, y, cfg = batch["input"], batch["target"], gan.cfg
    fake = gan.netG(x)
    fake_logits = gan.netD(x, fake.detach())
    loss_d = pix2pix.d_loss(gan.netD(x, y), fake_logits)
    adv = pix2pix.g_loss(fake_logits)
    gan.opt_d.zero_grad()
    loss_d.backward(retain_graph=True)
    gan.opt_d.step()

    l1 = F.l1_loss(fake, y)
    gan.opt_g.zero_grad()
    (cfg.lambda_l1 * l1 + cfg.lambda_adv * adv.detach()).backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/l1": l1.detach()}


@exercise("6.5", "Diagnose: a GAN that blurs")
def mended(step):
    """Expect a ``train_step``."""
    run = runtime.start("cpu", 0)
    cfg = replace(pix2pix.PRESETS["smoke"], image_size=16, g_channels=(8, 8), dropout=0.0)
    cfg = replace(cfg, lambda_l1=2.0, ema_decay=0.0)
    gan, twin = pix2pix.build(cfg, run), pix2pix.build(cfg, run)
    batches = [
        {name: torch.rand(4, 3, 16, 16) * 2 - 1 for name in ("input", "target")} for _ in range(2)
    ]
    yield "it can be called like train_step"
    done = steps.take(step, gan, batches, run)

    def loss_d(nets, x, *, input, target):
        return pix2pix.d_loss(nets.netD(input, target), nets.netD(input, nets.netG(input)))

    def l1_alone(nets, x, *, input, target):
        return cfg.lambda_l1 * F.l1_loss(nets.netG(input), target)

    def loss_g(nets, x, *, input, target):
        fake = nets.netG(input)
        adv = pix2pix.g_loss(nets.netD(input, fake))
        return cfg.lambda_l1 * F.l1_loss(fake, target) + cfg.lambda_adv * adv

    for one, batch, which in zip(done, batches, ("first", "second"), strict=True):
        yield f"G's {which} gradient is that of L1 and of the adversarial loss together"
        mistakes = {"it is that of L1 alone": partial(l1_alone, **batch)}
        steps.expect_update(one, "G", twin, partial(loss_g, **batch), mistakes)

        yield f"D's {which} gradient is that of its own update alone"
        steps.expect_update(one, "D", twin, partial(loss_d, **batch))

    yield "G's updates leave nothing in D's gradients"
    steps.expect_nothing_left(done[-1], "D", "freeze D while G learns, as in part 6")


@mended.solution
def mended_step(gan, batch, run):
    """Update D, then G; D sees the fake again, not detached, so that the gradient reaches G."""
    x, y, cfg = batch["input"], batch["target"], gan.cfg
    fake = gan.netG(x)
    loss_d = pix2pix.d_loss(gan.netD(x, y), gan.netD(x, fake.detach()))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    l1, adv = F.l1_loss(fake, y), pix2pix.g_loss(gan.netD(x, fake))  # not detached
    gan.opt_g.zero_grad()
    (cfg.lambda_l1 * l1 + cfg.lambda_adv * adv).backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/l1": l1.detach()}


def _without_freezing_d(gan, batch, seen_by_d):
    x, y, cfg = batch["input"], batch["target"], gan.cfg
    fake = gan.netG(x)
    loss_d = pix2pix.d_loss(gan.netD(x, y), gan.netD(x, fake.detach()))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    l1, adv = F.l1_loss(fake, y), pix2pix.g_loss(gan.netD(x, seen_by_d(fake)))
    gan.opt_g.zero_grad()
    (cfg.lambda_l1 * l1 + cfg.lambda_adv * adv).backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/l1": l1.detach()}


the_paper = multiple_choice(
    "6.6",
    "Read: what the paper did, and what it found",
    "abcdef",
    right="abef",
    hints={
        "c": "at the end of section 3.3, the statistics of which batch are used?",
        "d": "compare the last two lines of table 3",
    },
)
the_paper.solution(
    ["a", "b", "e", "f"],
    "The noise was ignored (a: section 3.1), D's objective is halved (b: 3.3), facades are 400 "
    "pictures for 200 epochs (e: 6.2), and both networks are convolutional, so larger pictures "
    "can be translated (f: 4.4). Batch norm uses the statistics of the test batch (c), and the "
    "full-image D scores lower than 70 x 70 (d): IoU .11 against .17.",
)

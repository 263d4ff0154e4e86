"""The exercises of lesson 3: the least squares GAN."""

import math

import torch
import torch.nn.functional as F

from gancourse.data.source import ImageData
from gancourse.exercises import exercise, expect, expect_names, multiple_choice, steps
from gancourse.gans import dcgan, lsgan
from gancourse.training import runtime


@exercise("3.1", "Predict: the pull on three fakes")
def three_pulls(answer):
    """Expect a dict of three lists: the gradient of G's loss at the logits -3, 0.5 and 6."""
    t = torch.tensor([-3.0, 0.5, 6.0], requires_grad=True)
    losses = {
        "cross-entropy": dcgan.g_loss(t),
        "c = 1": lsgan.g_loss(t, 1.0),
        "c = 0": lsgan.g_loss(t, 0.0),
    }
    yield f"the answer names {', '.join(losses)}"
    expect_names(answer, losses)
    for name, loss in losses.items():
        yield f"{name}: three gradients, right to two decimals"
        (slopes,) = torch.autograd.grad(3 * loss, t)  # times 3, as the loss is a mean
        got = torch.tensor([float(x) for x in answer[name]])
        assert got.shape == (3,), f"found {len(got)} numbers"
        if torch.allclose(got, -slopes, atol=6e-3):
            raise AssertionError("the sizes are right; a positive gradient pushes the logit down")
        if torch.allclose(got, 2 * slopes, atol=6e-3):
            raise AssertionError("the factor 1/2 of the loss cancels the 2 of the derivative")
        for logit, mine, right in zip(t.tolist(), got, slopes, strict=True):
            assert abs(mine - right) < 6e-3, f"{mine:.3g} is wrong at the logit {logit:g}"


three_pulls.solution(
    {
        "cross-entropy": [-0.953, -0.378, -0.002],
        "c = 1": [-4.0, -0.5, 5.0],
        "c = 0": [-3.0, 0.5, 6.0],
    },
    "The cross-entropy's gradient is -(1 - sigmoid(t)): between -1 and 0, and nearly 0 at 6. "
    "Least squares give t - c, which grows with the distance from the target, on both sides. A "
    "logit of 0.5 is already too high for c = 0 and not yet high enough for c = 1.",
)


@exercise("3.2", "Implement: a pull with a limit")
def limited_pull(huber_g_loss):
    """Expect ``huber_g_loss(fake_logits, c, limit)``."""
    near = torch.tensor([0.4, 1.0, 1.9])
    yield "close to the target it is g_loss"
    expect(huber_g_loss(near, 1.0, 1.0), lsgan.g_loss(near, 1.0))

    def slopes(values, c, limit):
        t = torch.tensor(values, requires_grad=True)
        (slope,) = torch.autograd.grad(len(t) * huber_g_loss(t, c, limit), t)
        return slope

    yield "far from it the gradient is -limit below the target and +limit above"
    expect(slopes([-40.0, 40.0], 1.0, 2.0), torch.tensor([-2.0, 2.0]))

    yield "the gradient grows up to the limit without a jump"
    expect(slopes([1.5, 2.999, 3.001], 1.0, 2.0), torch.tensor([0.5, 1.999, 2.0]), atol=2e-3)

    yield "no fake is so far away that its gradient vanishes"
    assert slopes([-300.0, 300.0], 0.0, 0.5).abs().min() > 0.49, "it is below the limit"

    yield "the loss itself has no jump at the limit"
    sides = [huber_g_loss(torch.tensor([x]), 0.0, 2.0) for x in (1.9999, 2.0001)]
    expect(sides[0], sides[1], atol=1e-2)


@limited_pull.solution
def huber_g_loss(fake_logits, c=1.0, limit=1.0):
    """Return least squares up to the distance ``limit`` from the target, then a straight line."""
    return F.huber_loss(fake_logits, torch.full_like(fake_logits, c), delta=limit)


@exercise("3.3", "Derive: the value of the game for any coding")
def any_coding(value):
    """Expect ``value(a, b, c, chi_square)``, which returns 2 C(G)."""
    x = torch.linspace(-12, 20, 6401, dtype=torch.float64)
    cell = (x[1] - x[0]).item()

    def measured(distance, a, b, c):
        p, q = (torch.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0, distance))
        best = (b * p + a * q) / (p + q)
        chi_square = ((p - q).square() / (p + q)).sum().item() * cell
        return chi_square, ((best - c).square() * (p + q)).sum().item() * cell

    names = {
        (-1, 1, 0): "for -1, 1, 0 it is the divergence itself",
        (0, 1, 1): "for 0, 1, 1 it agrees with the integral",
        (0, 1, 0): "for 0, 1, 0, where G has the target of fakes, it agrees with the integral",
        (1, -1, 0.3): "for 1, -1, 0.3, where D's targets are swapped, it agrees with the integral",
    }
    for coding, name in names.items():
        yield name
        for distance in (0.0, 1.0, 6.0):
            chi_square, right = measured(distance, *coding)
            got = value(*coding, chi_square)
            if got is None or got is ...:
                raise NotImplementedError
            assert abs(float(got) - right) < 1e-6, (
                f"where the divergence is {chi_square:.3f}, got {float(got):.4f}"
            )


@any_coding.solution
def value(a, b, c, chi_square):
    """Return 2 C(G): a constant, and ((b - a) / 2)^2 times the divergence."""
    # With s = p + q and d = p - q the best D is (a + b) / 2 + (b - a) / 2 * d / s.
    # Squared, times s and integrated: s gives 2, d gives 0, and d^2 / s gives the divergence.
    return 2 * ((a + b) / 2 - c) ** 2 + ((b - a) / 2) ** 2 * chi_square


def broken_step(gan, batch, run):
    """Update D and G; one line of D's part has a mistake that raises no error."""
    real, cfg = batch["real"], gan.cfg
    fake = gan.netG(lsgan.draw_z(cfg, len(real), device=run.device))
    logits = torch.cat([gan.netD(real), gan.netD(fake.detach())])  # (2 N,)
    targets = torch.cat([torch.full((len(real), 1), cfg.b), torch.full((len(real), 1), cfg.a)])
    loss_d = (logits - targets.to(logits)).square().mean()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    fake_logits = gan.netD(fake)
    loss_g = lsgan.g_loss(fake_logits, cfg.c)
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    gap = logits[: len(real)].mean() - logits[len(real) :].mean()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach(), "D/logit_gap": gap.detach()}


@exercise("3.4", "Diagnose: a D that learns nothing")
def mended(step):
    """Expect a ``train_step``."""
    yield "it can be called like train_step"
    gan, losses = _one_step(step)
    reference, right = _one_step(lsgan.train_step)

    yield "D's loss compares each logit with its own target"
    got = float(losses["D/adv"])
    if abs(got - 2 * float(right["D/adv"])) < 1e-4:
        raise AssertionError("the mean of 2 N squares is (D(x) - b)^2 / 2 + (D(G(z)) - a)^2 / 2")
    assert abs(got - float(right["D/adv"])) < 1e-4, f"the loss of the first step is {got:.4f}"

    yield "D is updated as by train_step"
    steps.expect_same_weights(gan.netD, reference.netD)

    yield "G is updated as by train_step"
    steps.expect_same_weights(gan.netG, reference.netG)


def _one_step(step):
    """Return a small GAN after one step from the same initial weights, and the losses."""
    run = runtime.start("cpu", 0)
    cfg = lsgan.Config(
        image_size=8,
        image_channels=1,
        latent_dim=4,
        g_channels=(4,),
        g_strides=(2,),
        d_channels=(4,),
        init_std=0.2,
        optimizer="rmsprop",
        batch_size=8,
    )
    gan = lsgan.build(cfg, run)
    pixels = torch.arange(8 * 64).reshape(8, 1, 8, 8) % 256
    batch = ImageData(pixels.byte(), None, "stripes").batch(0, 8, run)
    return gan, steps.take(step, gan, [batch], run)


@mended.solution
def mended_step(gan, batch, run):
    """Update D and G; the targets have the shape of the logits, so nothing is broadcast."""
    real, cfg = batch["real"], gan.cfg
    fake = gan.netG(lsgan.draw_z(cfg, len(real), device=run.device))
    logits = torch.cat([gan.netD(real), gan.netD(fake.detach())])  # (2 N,)
    # With targets (2 N, 1) the difference was (2 N, 2 N): each logit with every target.
    targets = torch.cat([torch.full((len(real),), cfg.b), torch.full((len(real),), cfg.a)])
    loss_d = (logits - targets.to(logits)).square().mean()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = lsgan.g_loss(gan.netD(fake), cfg.c)
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


authors_code = multiple_choice(
    "3.5",
    "Read: what the authors ran",
    "abcde",
    right="bde",
    hints={
        "a": "compare the targets in the two least squares files named dcgan64.py",
        "c": "which labels does the cross-entropy of G's loss have in BN_G_sigmoid_adam?",
    },
)
authors_code.solution(
    ["b", "d", "e"],
    "The run without batch norm in G (Adam) has the targets 0, 1 and 1, the one without it in "
    "either player (RMSProp) has -1, 1 and 0: two things change at once (b, not a). The rival's "
    "loss is the cross-entropy with ones for G, which is -log D and not equation 1 of lesson 1 "
    "(c is wrong). tf.nn.l2_loss is half the sum of squares (d), and Z_DIM is 1024 (e).",
)

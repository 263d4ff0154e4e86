"""The exercises of lesson 1: the vanilla GAN."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from gancourse.data.mixtures import ring
from gancourse.exercises import exercise, expect, letters
from gancourse.gans import vanilla
from gancourse.training import runtime


@exercise("1.1", "Predict: what the losses say when D cannot tell")
def at_the_optimum(answer):
    """Expect a dict of three numbers."""
    logits = torch.zeros(1)
    expected = {
        "loss_d": vanilla.d_loss(logits, logits),
        "loss_g": vanilla.g_loss(logits),
        "jsd": 0.0,
    }
    yield "the answer names loss_d, loss_g and jsd"
    assert set(answer) == set(expected), f"found {', '.join(map(str, answer))}"
    for name, value in expected.items():
        yield f"{name} is right to three decimals"
        got = answer[name]
        if name == "loss_d" and abs(got - math.log(2)) < 1e-3:
            raise AssertionError("log 2 is one of its two terms: d_loss adds both")
        assert abs(float(got) - float(value)) < 1e-3, f"{got} is not what the formula gives"


at_the_optimum.solution(
    {"loss_d": 1.3863, "loss_g": 0.6931, "jsd": 0.0},
    "D says 1/2 everywhere, so d_loss is -log(1/2) - log(1/2) = log 4 and g_loss is -log(1/2) = "
    "log 2. The samples are distributed like the data, so the divergence is 0.",
)
at_the_optimum.wrong({"loss_d": 0.0, "loss_g": 0.0, "jsd": 0.0})
at_the_optimum.wrong({"loss_d": math.log(2), "loss_g": math.log(2), "jsd": 0.0})
at_the_optimum.wrong({"loss_d": math.log(4), "loss_g": math.log(4), "jsd": math.log(2)})


@exercise("1.2", "Implement: one-sided label smoothing")
def label_smoothing(smooth_d_loss):
    """Expect ``smooth_d_loss(real_logits, fake_logits, target)``."""
    real, fake = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([-0.3, 0.8, 1.5])
    yield "with target 1 it is d_loss"
    expect(smooth_d_loss(real, fake, 1.0), vanilla.d_loss(real, fake))

    yield "no gradient is left where D gives a real sample the probability `target`"
    t = torch.full((4,), math.log(0.9 / 0.1), requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_d_loss(t, fake, 0.9), t)
    assert slope.abs().max() < 1e-5, f"the gradient there is {slope[0]:.4f} per sample"

    yield "D is pulled back where it is surer than that"
    t = torch.full((4,), 6.0, requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_d_loss(t, fake, 0.9), t)
    assert (slope > 0).all(), "a logit of 6 must be pushed down"

    yield "the fake side is not smoothed"
    t = torch.full((4,), -20.0, requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_d_loss(real, t, 0.9), t)
    assert slope.abs().max() < 1e-5, "at a logit of -20 the fake term should have nothing to say"

    yield "it stays finite where the sigmoid rounds"
    far = torch.tensor([300.0])
    assert smooth_d_loss(-far, far, 0.9).isfinite(), "use a form of the loss on logits"


@label_smoothing.solution
def smooth_d_loss(real_logits, fake_logits, target=0.9):
    """Reward D for giving real samples the probability ``target`` instead of 1."""
    targets = torch.full_like(real_logits, target)
    real = F.binary_cross_entropy_with_logits(real_logits, targets)
    return real + F.softplus(fake_logits).mean()


@label_smoothing.wrong
def scaled(real_logits, fake_logits, target=0.9):
    return target * F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@label_smoothing.wrong
def two_sided(real_logits, fake_logits, target=0.9):
    bce = F.binary_cross_entropy_with_logits
    return bce(real_logits, torch.full_like(real_logits, target)) + bce(
        fake_logits, torch.full_like(fake_logits, 1 - target)
    )


@label_smoothing.wrong
def on_probabilities(real_logits, fake_logits, target=0.9):
    p, q = real_logits.sigmoid(), fake_logits.sigmoid()
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean() - (1 - q).log().mean()


@exercise("1.3", "Implement: packing")
def packing(pack):
    """Expect ``pack(x, m)``."""
    x = torch.arange(24.0).view(12, 2)
    yield "twelve points in packs of three are four inputs of six numbers"
    expect(tuple(pack(x, 3).shape), (4, 6))

    yield "with m = 1 nothing changes"
    expect(pack(x, 1), x)

    yield "every point is in exactly one pack, its coordinates side by side"
    points = pack(x, 3).reshape(-1, 2)
    assert sorted(points.tolist()) == x.tolist(), "some point was split or repeated"

    yield "images are packed along their channels"
    expect(tuple(pack(torch.zeros(6, 1, 4, 4), 2).shape), (3, 2, 4, 4))

    yield "gradients flow through it"
    t = torch.randn(4, 2, requires_grad=True)
    pack(t, 2).sum().backward()
    assert t.grad is not None and (t.grad == 1).all(), "the points' gradient was lost"


@packing.solution
def pack(x, m):
    """Join m samples to one input of D: (N, C, ...) becomes (N / m, m * C, ...)."""
    return x.unflatten(0, (-1, m)).flatten(1, 2)


@packing.wrong
def mixed_coordinates(x, m):
    return x.reshape(-1, x.shape[1] * m) if x.dim() == 2 else x.reshape(-1, m, *x.shape[1:])


@packing.wrong
def along_height(x, m):
    return torch.cat(x.chunk(m), dim=-1)


@packing.wrong
def detached(x, m):
    return x.detach().unflatten(0, (-1, m)).flatten(1, 2)


def broken_step(gan, batch, run):
    """Train D and G, with one line of the real ``train_step`` missing."""
    real = batch["real"]
    fake = gan.netG(vanilla.draw_z(gan.cfg, len(real), device=run.device))
    loss_d = vanilla.d_loss(gan.netD(real), gan.netD(fake.detach()))
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = vanilla.g_loss(gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@exercise("1.4", "Diagnose: a run that goes in circles")
def mended(step):
    """Expect a ``train_step``."""
    yield "it can be called like train_step"
    first, _ = _two_steps(step)
    reference, _ = _two_steps(vanilla.train_step)

    yield "D's second update uses the second batch alone"
    for name, weight in first["netD"].items():
        gap = float((weight - reference["netD"][name]).abs().max())
        assert gap < 1e-6, f"after two steps {name} is off by {gap:.2g}"

    yield "G is trained as before"
    for name, weight in first["netG"].items():
        gap = float((weight - reference["netG"][name]).abs().max())
        assert gap < 1e-6, f"after two steps {name} is off by {gap:.2g}"


def _two_steps(step):
    """Return the weights after two steps of a small GAN, always from the same start."""
    run = runtime.start("cpu", 0)
    cfg = replace(
        vanilla.PLANE["smoke"], optimizer="sgd", lr_g=0.1, lr_d=0.1, batch_size=16, ema_decay=0.0
    )
    gan = vanilla.build(cfg, run)
    losses = None
    for i in range(2):
        losses = step(gan, ring().batch(i, cfg.batch_size, run), run)
        if losses is None:
            raise NotImplementedError
    return {name: getattr(gan, name).state_dict() for name in ("netG", "netD")}, losses


@mended.solution
def mended_step(gan, batch, run):
    """Train D and G; D forgets the gradients of the last batch before it meets this one."""
    real = batch["real"]
    fake = gan.netG(vanilla.draw_z(gan.cfg, len(real), device=run.device))
    loss_d = vanilla.d_loss(gan.netD(real), gan.netD(fake.detach()))
    gan.opt_d.zero_grad()  # the missing line: .backward() adds to what is there
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = vanilla.g_loss(gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


mended.wrong(broken_step)


@mended.wrong
def cleared_too_late(gan, batch, run):
    losses = broken_step(gan, batch, run)
    gan.opt_g.zero_grad()
    return losses


@mended.wrong
def half_the_rate(gan, batch, run):
    for group in gan.opt_d.param_groups:
        group["lr"] = 0.05
    return broken_step(gan, batch, run)


@exercise("1.5", "Read: what the convergence proof asks for")
def the_proof(answer):
    """Expect a set of letters."""
    yield "the answer is a set of the letters a to e"
    given = letters(answer, "abcde")
    yield "nothing is named that proposition 2 does not ask for"
    assert given <= set("abc"), "read proposition 2 (section 4.2) again: one of yours is not there"
    yield "everything is named that it asks for"
    assert given == set("abc"), "there is one more"


the_proof.solution(
    ["a", "b", "c"],
    "Proposition 2 asks for enough capacity (a), for D to reach its optimum given G at each step "
    "(b), and for updates of the distribution p_g itself (c): it is convex in p_g. Practice keeps "
    "none of them: the networks are finite, D takes one step, and the updates are made to weights, "
    "in which nothing is convex. The proof asks neither for equal step sizes nor for momentum.",
)
the_proof.wrong({"a", "b"})
the_proof.wrong({"a", "b", "c", "d"})
the_proof.wrong({"e"})

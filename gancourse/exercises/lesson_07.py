"""The exercises of lesson 7: CycleGAN."""

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.exercises import (
    exercise,
    expect,
    expect_names,
    expect_number,
    expect_same,
    multiple_choice,
    steps,
)
from gancourse.gans import cyclegan
from gancourse.training import runtime


class Tiny(nn.Module):
    """A small generator for the checkers: any network will do."""

    def __init__(self, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(3, 3, 3, 3, generator=generator) / 4)

    def forward(self, x):
        """Return pictures of the same shape as x."""
        return torch.tanh(F.conv2d(x, self.weight, padding=1))


@exercise("7.1", "Implement: a round trip for each domain")
def round_trips(cycle_term):
    """Expect ``cycle_term(netG_AB, netG_BA, real_A, real_B)``."""
    there, back = Tiny(1), Tiny(2)
    a, b = (torch.rand(2, 3, 6, 6) * 2 - 1 for _ in range(2))

    def given(function, there=there, back=back):
        found = function(there, back, a.clone(), b.clone())
        if found is None:
            raise NotImplementedError
        return found

    yield "it is 0 where both generators return their input"
    same = nn.Identity()
    expect(given(cycle_term, same, same), 0.0)

    yield "its value is the sum of both round trips, each a mean absolute difference"
    expect(given(cycle_term), given(round_trips.answer))

    yield "its gradient reaches both generators, on the way there and on the way back"
    weights = [there.weight, back.weight]
    found = given(cycle_term)
    assert getattr(found, "requires_grad", False), "no gradient comes back from it"
    mine = torch.autograd.grad(found, weights, allow_unused=True)
    right = torch.autograd.grad(given(round_trips.answer), weights)
    for gradient, true in zip(mine, right, strict=True):
        assert gradient is not None, "no gradient reaches one of the generators"
        assert torch.allclose(gradient, true, rtol=1e-3, atol=1e-6), (
            "the value is right and the gradient is not: does something detach the translation?"
        )


@round_trips.solution
def cycle_term(netG_AB, netG_BA, real_A, real_B):
    """Return E|F(G(a)) - a| + E|G(F(b)) - b|, where G is netG_AB and F is netG_BA."""
    forward = (netG_BA(netG_AB(real_A)) - real_A).abs().mean()
    backward = (netG_AB(netG_BA(real_B)) - real_B).abs().mean()
    return forward + backward


@exercise("7.2", "Implement: the generators' half of the step")
def generators_half(g_step):
    """Expect ``g_step(gan, batch, run)``, which updates both generators."""
    run = runtime.start("cpu", 0)
    cfg = replace(cyclegan.PRESETS["smoke"], image_size=16, d_layers=1, lambda_idt=0.0)
    gan, twin = cyclegan.build(cfg, run), cyclegan.build(cfg, run)
    batches = [
        {name: torch.rand(2, 3, 16, 16) * 2 - 1 for name in ("real_A", "real_B")} for _ in range(2)
    ]
    yield "it can be called like train_step"
    done = steps.take(g_step, gan, batches, run)

    def loss_g(nets, x, *, real_A, real_B, crossed=False, adversarial=1.0, weight=cfg.lambda_cyc):
        fake_A, fake_B = nets.netG_BA(real_B), nets.netG_AB(real_A)
        cycle = cyclegan.cycle_loss(real_A, nets.netG_BA(fake_B))
        cycle = cycle + cyclegan.cycle_loss(real_B, nets.netG_AB(fake_A))
        fake_A, fake_B = (fake_B, fake_A) if crossed else (fake_A, fake_B)
        adv = cyclegan.g_loss(nets.netD_A(fake_A)) + cyclegan.g_loss(nets.netD_B(fake_B))
        return adversarial * adv + weight * cycle

    for one, batch, which in zip(done, batches, ("first", "second"), strict=True):
        yield f"{which} step: the generators follow equation 3"
        mistakes = {
            "each D judges the fakes of the other domain": {"crossed": True},
            "the adversarial losses do not reach the generators": {"adversarial": 0.0},
            "the round trips do not reach the generators": {"weight": 0.0},
            "the round trips are not weighted by lambda_cyc": {"weight": 1.0},
        }
        mistakes = {text: partial(loss_g, **batch, **how) for text, how in mistakes.items()}
        steps.expect_update(one, "G", twin, partial(loss_g, **batch), mistakes)

    yield "the discriminators are left as they were"
    for name in ("netD_A", "netD_B"):
        for key, value in getattr(gan, name).state_dict().items():
            expect(value, done[0].start[name][key])


@generators_half.solution
def g_step(gan, batch, run):
    """Update both generators once, by equation 3."""
    real_A, real_B = batch["real_A"], batch["real_B"]
    fake_B, fake_A = gan.netG_AB(real_A), gan.netG_BA(real_B)
    adv = cyclegan.g_loss(gan.netD_A(fake_A)) + cyclegan.g_loss(gan.netD_B(fake_B))
    cycle = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
    cycle = cycle + cyclegan.cycle_loss(real_B, gan.netG_AB(fake_A))
    gan.opt_g.zero_grad()
    (adv + gan.cfg.lambda_cyc * cycle).backward()
    gan.opt_g.step()
    return {"G/adv": adv.detach(), "G/cycle": cycle.detach()}


@exercise("7.3", "Predict: three summers, one winter")
def collapsed(answer):
    """Expect a dict of four numbers."""
    expected = {"l1_value": -0.6, "l1_loss": 0.4, "l2_value": -0.2, "l2_loss": 0.32}
    yield "the answer names l1_value, l1_loss, l2_value and l2_loss"
    expect_names(answer, expected)
    hints = {
        "l1_value": "which one value has the smallest sum of distances to all three?",
        "l1_loss": "the mean of three distances, two of which are 0",
        "l2_value": "which one value has the smallest sum of squared distances?",
        "l2_loss": "the mean of three squares",
    }
    for name, value in expected.items():
        yield f"{name} is right to two decimals"
        expect_number(answer[name], value, hints[name])


collapsed.solution(
    {"l1_value": -0.6, "l1_loss": 0.4, "l2_value": -0.2, "l2_loss": 0.32},
    "G_BA sees the same picture three times and can give one answer. The mean distance is smallest "
    "at the median, -0.6, and then (0 + 0 + 1.2) / 3 = 0.4. The mean square is smallest at the "
    "mean, -0.2, and then (0.16 + 0.16 + 0.64) / 3 = 0.32. L1 gets two summers right and gives "
    "up on the third; L2 gets none right. Neither can reach 0: a generator that maps different "
    "pictures to the same one has no inverse, and that is what the cycle loss forbids.",
)


@exercise("7.4", "Modify: a few pairs are known")
def few_pairs(pair_loss):
    """Expect ``pair_loss(fake_B, real_B, known)``."""
    right = few_pairs.answer
    fake, real = torch.randn(4, 3, 5, 5), torch.randn(4, 3, 5, 5)
    known = torch.tensor([True, False, True, False])
    yield "it is the mean absolute difference over the rows that are pairs"
    expect(pair_loss(fake, real, known), (fake[[0, 2]] - real[[0, 2]]).abs().mean())

    yield "a single pair counts as much as in a batch of its own"
    one = torch.tensor([False, False, False, True])
    expect(pair_loss(fake, real, one), (fake[3] - real[3]).abs().mean())

    yield "if no row is a pair it is 0, not NaN"
    none = torch.zeros(4, dtype=torch.bool)
    expect(pair_loss(fake, real, none), 0.0)

    yield "its gradient is right, also if no row is a pair: rows that are no pairs get none"
    for rows in (known, one, none, ~none):
        expect_same(pair_loss, right, fake, real, rows)


@few_pairs.solution
def pair_loss(fake_B, real_B, known):
    """Return the mean L1 over the rows where ``known``, bool (N,), is True; 0 if there is none."""
    gaps = (fake_B - real_B).abs().mean((1, 2, 3))  # (N,)
    return (gaps * known).sum() / known.sum().clamp(min=1)


def broken_step(gan, batch, run):
    """Update all four networks; one thing in it is wrong."""
    cfg, real_A, real_B = gan.cfg, batch["real_A"], batch["real_B"]
    fake_B, fake_A = gan.netG_AB(real_A), gan.netG_BA(real_B)
    loss_d = cyclegan.d_loss(gan.netD_A(real_A), gan.netD_A(gan.pool_B(fake_B.detach())))
    loss_d = loss_d + cyclegan.d_loss(gan.netD_B(real_B), gan.netD_B(gan.pool_A(fake_A.detach())))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(False)
    adv = cyclegan.g_loss(gan.netD_A(fake_B)) + cyclegan.g_loss(gan.netD_B(fake_A))
    cycle = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
    cycle = cycle + cyclegan.cycle_loss(real_B, gan.netG_AB(fake_A))
    gan.opt_g.zero_grad()
    (adv + cfg.lambda_cyc * cycle).backward()
    gan.opt_g.step()
    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/cycle": cycle.detach()}


@exercise("7.5", "Diagnose: a perfect cycle, and nothing is translated")
def mended(step):
    """Expect a ``train_step``."""
    run = runtime.start("cpu", 0)
    cfg = replace(cyclegan.PRESETS["smoke"], image_size=16, d_layers=1, lambda_idt=0.0)
    gan, twin = cyclegan.build(cfg, run), cyclegan.build(cfg, run)
    batches = [
        {name: torch.rand(2, 3, 16, 16) * 2 - 1 for name in ("real_A", "real_B")} for _ in range(2)
    ]
    yield "it can be called like train_step"
    done = steps.take(step, gan, batches, run)

    def loss_d(nets, x, *, real_A, real_B, crossed=False):
        fake_A, fake_B = nets.netG_BA(real_B), nets.netG_AB(real_A)
        fake_A, fake_B = (fake_B, fake_A) if crossed else (fake_A, fake_B)
        loss_a = cyclegan.d_loss(nets.netD_A(real_A), nets.netD_A(fake_A))
        return loss_a + cyclegan.d_loss(nets.netD_B(real_B), nets.netD_B(fake_B))

    def loss_g(nets, x, *, real_A, real_B, crossed=False, adversarial=1.0):
        fake_A, fake_B = nets.netG_BA(real_B), nets.netG_AB(real_A)
        cycle = cyclegan.cycle_loss(real_A, nets.netG_BA(fake_B))
        cycle = cycle + cyclegan.cycle_loss(real_B, nets.netG_AB(fake_A))
        fake_A, fake_B = (fake_B, fake_A) if crossed else (fake_A, fake_B)
        adv = cyclegan.g_loss(nets.netD_A(fake_A)) + cyclegan.g_loss(nets.netD_B(fake_B))
        return adversarial * adv + cfg.lambda_cyc * cycle

    for one, batch, which in zip(done, batches, ("first", "second"), strict=True):
        yield f"{which} step: each discriminator learns from pictures and fakes of its own domain"
        text = "each D sees the fakes of the other domain"
        crossed = partial(loss_d, **batch, crossed=True)
        steps.expect_update(one, "D", twin, partial(loss_d, **batch), {text: crossed})

        yield f"{which} step: the generators follow both discriminators and both cycles"
        mistakes = {
            "each D judges the fakes of the other domain": {"crossed": True},
            "the adversarial losses do not reach the generators": {"adversarial": 0.0},
        }
        mistakes = {text: partial(loss_g, **batch, **how) for text, how in mistakes.items()}
        steps.expect_update(one, "G", twin, partial(loss_g, **batch), mistakes)


@mended.solution
def mended_step(gan, batch, run):
    """Update all four networks; D_A judges real and fake pictures of A, and D_B those of B."""
    cfg, real_A, real_B = gan.cfg, batch["real_A"], batch["real_B"]
    fake_B, fake_A = gan.netG_AB(real_A), gan.netG_BA(real_B)
    loss_d = cyclegan.d_loss(gan.netD_A(real_A), gan.netD_A(gan.pool_A(fake_A.detach())))
    loss_d = loss_d + cyclegan.d_loss(gan.netD_B(real_B), gan.netD_B(gan.pool_B(fake_B.detach())))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(False)
    adv = cyclegan.g_loss(gan.netD_A(fake_A)) + cyclegan.g_loss(gan.netD_B(fake_B))
    cycle = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
    cycle = cycle + cyclegan.cycle_loss(real_B, gan.netG_AB(fake_A))
    gan.opt_g.zero_grad()
    (adv + cfg.lambda_cyc * cycle).backward()
    gan.opt_g.step()
    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/cycle": cycle.detach()}


the_paper = multiple_choice(
    "7.6",
    "Read: what the paper did, and what it found",
    "abcdef",
    right="ace",
    hints={
        "b": "look for the norm in equation 2",
        "d": "in the failure cases of section 6, which tasks succeed and which do not?",
        "f": "in section 4, training details, how large is a batch?",
    },
)
the_paper.solution(
    ["a", "c", "e"],
    "The log likelihood is replaced by least squares for stability (a, section 4). The cycle loss "
    "is an L1 norm (equation 2), so (b) is wrong; replacing it by an adversarial loss did not "
    "help. The identity loss is used for paintings to photographs, to keep the colours (c, section "
    "5.2). Changes of colour and texture often succeed, changes of shape, as dog to cat, have "
    "little success: (d) is wrong (section 6). Earlier fakes from a buffer of 50 are shown to the "
    "discriminators (e, section 4). A batch has one picture: (f) is wrong.",
)

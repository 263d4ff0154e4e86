"""The exercises of lesson 5: the conditional GAN."""

import math
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
    two_losses,
)
from gancourse.exercises.reading import number
from gancourse.gans import cgan
from gancourse.training import runtime


@exercise("5.1", "Implement: D's loss, with mismatched pairs")
def loss_of_d(d_loss):
    """Expect ``d_loss(real_logits, fake_logits, wrong_logits, mismatch)``."""
    real, fake, wrong = torch.randn(3, 9)
    yield "it is log 4 where all logits are 0, for any share of mismatched pairs"
    for share in (0.0, 0.3, 0.5):
        hint = "all three kinds of pair cost log 2; the shares of the fakes add to 1"
        got = d_loss(torch.zeros(4), torch.zeros(4), torch.zeros(4), share)
        expect_number(got, math.log(4), hint, atol=1e-4)

    yield "without mismatched pairs it is lesson 1's loss, and so is its gradient"
    expect_same(d_loss, cgan.d_loss, real, fake, wrong, 0.0)

    yield "with them it and its gradient are right"
    for share in (0.3, 0.5, 1.0):
        expect_same(d_loss, cgan.d_loss, real, fake, wrong, share)

    yield "it is finite where the sigmoid rounds to 0 or 1"
    far = torch.tensor([-200.0, 200.0])
    expect_same(d_loss, cgan.d_loss, far, far, far, 0.5, atol=1e-3)


@loss_of_d.solution
def d_loss(real_logits, fake_logits, wrong_logits, mismatch):
    """Average -log D over real pairs, and -log(1 - D) over the two kinds of fakes."""
    fake = (1 - mismatch) * F.softplus(fake_logits).mean()
    wrong = mismatch * F.softplus(wrong_logits).mean()
    return F.softplus(-real_logits).mean() + fake + wrong


@exercise("5.2", "Implement: the two losses of a step")
def losses_of_a_step(step_losses):
    """Expect ``step_losses(netG, netD, real, labels, wrong, z, mismatch)``: two losses."""
    netG, netD = two_losses.Painter(), _PairCritic()
    real, z = torch.randn(8, 5), torch.randn(8, 3)
    labels, wrong = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]), torch.tensor([2, 0, 1, 1, 0, 0, 2, 2])
    yield from two_losses.compare(
        step_losses, losses_of_a_step.answer, netG, netD, real, labels, wrong, z, 0.3
    )


class _PairCritic(nn.Module):
    """A discriminator of pairs: five numbers and one of three classes."""

    def __init__(self):
        super().__init__()
        self.from_x, self.from_y, self.out = nn.Linear(5, 8), nn.Embedding(3, 8), nn.Linear(8, 1)

    def forward(self, x, labels):
        return self.out(torch.tanh(self.from_x(x) + self.from_y(labels))).squeeze(1)


@losses_of_a_step.solution
def step_losses(netG, netD, real, labels, wrong, z, mismatch):
    """Return the losses of D and of G; ``wrong`` are labels that do not fit ``real``."""
    fake = netG(z, labels)
    real_logits, wrong_logits = netD(real, labels), netD(real, wrong)
    loss_d = cgan.d_loss(real_logits, netD(fake.detach(), labels), wrong_logits, mismatch)
    return loss_d, cgan.g_loss(netD(fake, labels))


@exercise("5.3", "Predict: a generator that draws perfectly and ignores the label")
def ignored_label(answer):
    """Expect a dict of three numbers."""
    # The probability of one matching pair of class and label, in the data and among fakes.
    p, q = 1 / 10, 1 / 100
    expected = {"matching": p / (p + q), "mismatched": 0.0}
    expected["loss_d"] = -math.log(p / (p + q)) - 0.1 * math.log(q / (p + q))
    yield "the answer names matching, mismatched and loss_d"
    expect_names(answer, expected)
    hints = {
        "matching": (0.5, "the pictures alone are perfect, but most fakes have the wrong label"),
        "mismatched": (0.5, "how often does the data show this picture with this label?"),
        "loss_d": (math.log(4), "D can tell: nine of ten fakes are mismatched"),
    }
    for name, value in expected.items():
        yield f"{name} is right to two decimals"
        trap, hint = hints[name]
        got = number(answer[name])
        assert abs(got - trap) > 0.01, hint
        expect_number(got, value, "D outputs p / (p + q)")


ignored_label.solution(
    {"matching": 0.909, "mismatched": 0.0, "loss_d": 0.335},
    "The data show every class with its own label: 1/10 for each of ten matching pairs, 0 for the "
    "other ninety. The fakes fall on all hundred pairs alike: 1/100 each. So D* = p / (p + q) is "
    "(1/10) / (1/10 + 1/100) = 10/11 for a matching pair and 0 for a mismatched one. Real pairs "
    "cost D -log(10/11) = 0.095; a tenth of the fakes match and cost -log(1/11) = 2.398 each, the "
    "rest costs nothing: 0.095 + 0.240 = 0.335, far below log 4, although no picture is wrong.",
)


@exercise("5.4", "Modify: a class between two classes")
def soft_labels(draw_mixture):
    """Expect ``draw_mixture(netG, z, y)``."""
    cfg = replace(cgan.PRESETS["smoke"], g_dropout=0.0)
    netG, deeper = cgan.Generator(cfg), _Deeper(cfg)
    z, labels = torch.randn(6, cfg.latent_dim), torch.tensor([3, 1, 4, 1, 5, 9])
    shares = torch.randn(6, 10).softmax(1)
    yield "with a one-hot y it is the generator's output"
    expect(draw_mixture(netG, z, torch.eye(10)[labels]), netG(z, labels))

    yield "with shares, y enters where the one-hot label would: before the ReLU"
    expect(draw_mixture(netG, z, shares), _mixture(netG, z, shares))

    yield "the gradient comes back to z and to the shares"
    expect_same(partial(draw_mixture, netG), partial(_mixture, netG), z, shares)

    yield "it works for a generator whose forward does something else after from_y"
    expect(draw_mixture(deeper, z, torch.eye(10)[labels]), deeper(z, labels))
    expect(draw_mixture(deeper, z, shares), deeper.joined(z, deeper.from_y(shares)))

    yield "dropout acts in training mode, as in the generator"
    netG.drop.p = 0.5
    two = [draw_mixture(netG.train(), z, shares) for _ in range(2)]
    assert not torch.equal(*two), "two calls in training mode give the same picture"
    assert netG.training, "the network is left in another mode"

    yield "afterwards the generator takes class numbers as before"
    netG.drop.p = 0.0
    same = cgan.Generator(cfg)
    same.load_state_dict(netG.state_dict())
    expect(netG(z, labels), same(z, labels))


def _mixture(netG, z, y):
    """Return what a :class:`cgan.Generator` without dropout draws for shares of the classes."""
    h = F.relu(netG.joint(F.relu(torch.cat([netG.from_z(z), netG.from_y(y)], 1))))
    return torch.tanh(netG.out(h)).unflatten(1, netG.sample_shape)


class _Deeper(cgan.Generator):
    """A generator in which y also reaches the last layer."""

    def __init__(self, cfg):
        super().__init__(cfg)
        self.skip = nn.Linear(cfg.g_y_hidden, math.prod(self.sample_shape))

    def forward(self, z, labels):
        """Turn z and labels into pictures."""
        return self.joined(z, self.from_y(F.one_hot(labels, self.num_classes).to(z.dtype)))

    def joined(self, z, y):
        """Turn z and what ``from_y`` returned into pictures."""
        h = torch.tanh(self.joint(F.elu(torch.cat([self.from_z(z), y], 1))))
        return torch.sigmoid(self.out(h) + self.skip(y)).unflatten(1, self.sample_shape)


@soft_labels.solution
def draw_mixture(netG, z, y):
    """Turn z, (N, latent_dim), and shares of the classes, (N, num_classes), into pictures."""
    hook = netG.from_y.register_forward_pre_hook(lambda layer, inputs: (y,))
    try:
        return netG(z, torch.zeros(len(z), dtype=torch.int64, device=z.device))  # not looked at
    finally:
        hook.remove()


def broken_step(gan, batch, run):
    """Update D and G; some pictures in it are paired with the wrong labels."""
    real, labels, cfg = batch["real"], batch["labels"], gan.cfg
    fake_labels = torch.randint(cfg.num_classes, labels.shape, device=labels.device)
    fake = gan.netG(cgan.draw_z(cfg, len(real), device=run.device), fake_labels)
    loss_d = cgan.d_loss(gan.netD(real, labels), gan.netD(fake.detach(), labels))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = cgan.g_loss(gan.netD(fake, labels))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@exercise("5.5", "Diagnose: good digits of the wrong classes")
def mended(step):
    """Expect a ``train_step``."""
    run = runtime.start("cpu", 0)
    cfg = replace(cgan.PRESETS["smoke"], r1=0.0, mismatch=0.0, ema_decay=0.0)
    gan, twin = cgan.build(cfg, run), cgan.build(cfg, run)
    batches = [
        {"real": torch.rand(16, 1, 28, 28) * 2 - 1, "labels": torch.randint(10, (16,))}
        for _ in range(2)
    ]
    yield "it can be called like train_step"
    done = steps.take(step, gan, batches, run)

    def loss_d(nets, z, given, real, labels, shown=None, real_shown=None):
        real_logits = nets.netD(real, labels if real_shown is None else given)
        fake = nets.netD(nets.netG(z, given), given if shown is None else shown)
        return cgan.d_loss(real_logits, fake)

    def loss_g(nets, z, given, shown=None):
        return cgan.g_loss(nets.netD(nets.netG(z, given), given if shown is None else shown))

    for one, batch, which in zip(done, batches, ("first", "second"), strict=True):
        labels = batch["labels"]
        yield f"D's {which} update: real pictures with their labels, fakes with what G was given"
        mistakes = {
            "D sees fakes with labels of the real pictures": partial(loss_d, **batch, shown=labels),
            "D sees real pictures with labels of fakes": partial(loss_d, **batch, real_shown=True),
        }
        steps.expect_update(one, "D", twin, partial(loss_d, **batch), mistakes)

        yield f"G's {which} update: fakes with the labels that G was given"
        text = "D sees the fakes with the labels of the real pictures"
        steps.expect_update(one, "G", twin, loss_g, {text: partial(loss_g, shown=labels)})


@mended.solution
def mended_step(gan, batch, run):
    """Update D and G; D sees each fake with the label that G was given."""
    real, labels, cfg = batch["real"], batch["labels"], gan.cfg
    fake_labels = torch.randint(cfg.num_classes, labels.shape, device=labels.device)
    fake = gan.netG(cgan.draw_z(cfg, len(real), device=run.device), fake_labels)
    loss_d = cgan.d_loss(gan.netD(real, labels), gan.netD(fake.detach(), fake_labels))  # not labels
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = cgan.g_loss(gan.netD(fake, fake_labels))  # nor here
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


the_paper = multiple_choice(
    "5.6",
    "Read: what the paper did, and what it found",
    "abcdef",
    right="abc",
    hints={
        "d": "compare the last two lines of table 1",
        "e": "in section 4.1, which distribution does the noise for MNIST have?",
        "f": "D is shown real pairs and generated ones, and nothing else",
    },
)
the_paper.solution(
    ["a", "b", "c"],
    "The labels are one-hot vectors (a), dropout acts in both players (b), and y enters through a "
    "hidden layer of its own before it meets z or x (c): all in section 4.1. In table 1 the "
    "conditional net has 132, the unconditional one 225, and more is better: (d) is wrong, and the "
    "authors say so themselves. The noise for MNIST is uniform (e); Gaussian noise is used for the "
    "image tags of section 4.2. Real pictures with wrong labels (f) came with GAN-CLS in 2016.",
)

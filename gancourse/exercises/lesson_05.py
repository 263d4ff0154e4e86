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
)
from gancourse.exercises.reading import number
from gancourse.gans import cgan
from gancourse.training import runtime


@exercise("5.1", "Predict: a generator that draws perfectly and ignores the label")
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


@exercise("5.2", "Implement: the label as planes of pixels")
def label_planes(with_label_planes):
    """Expect ``with_label_planes(x, labels, num_classes)``."""
    right = label_planes.answer
    x, labels = torch.rand(4, 3, 5, 6), torch.tensor([2, 0, 6, 2])
    yield "the pictures gain a plane for each class"
    planes = with_label_planes(x, labels, 7)
    expect(tuple(planes.shape), (4, 10, 5, 6))

    yield "the pictures themselves come first and are unchanged"
    expect(planes[:, :3], x)

    yield "in each picture the plane of its class is 1 everywhere, the others are 0"
    expect(planes[:, 3:].mean((2, 3)), F.one_hot(labels, 7).float())
    assert set(planes[:, 3:].unique().tolist()) == {0.0, 1.0}, "only 0 and 1 belong there"

    yield "it works for a single picture and a single class"
    expect(tuple(with_label_planes(x[:1], torch.tensor([0]), 1).shape), (1, 4, 5, 6))

    yield "it is right for other pictures and classes, and its gradient reaches every pixel"
    for n, k in ((1, 1), (5, 3)):
        pictures, classes = torch.randn(n, 2, 4, 3), torch.randint(k, (n,))
        expect_same(with_label_planes, right, pictures, classes, k)


@label_planes.solution
def with_label_planes(x, labels, num_classes):
    """Join pictures, (N, C, H, W), with a plane for each class: (N, C + num_classes, H, W)."""
    planes = F.one_hot(labels, num_classes).to(x.dtype)[:, :, None, None]
    return torch.cat([x, planes.expand(-1, -1, *x.shape[2:])], 1)


@exercise("5.3", "Modify: a class between two classes")
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


@exercise("5.4", "Diagnose: good digits of the wrong classes")
def mended(step):
    """Expect a ``train_step``."""
    run = runtime.start("cpu", 0)
    cfg = replace(cgan.PRESETS["smoke"], d_dropout=(0.0, 0.0), mismatch=0.0, ema_decay=0.0)
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
    "5.5",
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

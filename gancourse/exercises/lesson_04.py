"""The exercises of lesson 4: the auxiliary classifier GAN."""

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
from gancourse.gans import acgan
from gancourse.training import runtime


@exercise("4.1", "Implement: the class loss")
def loss_of_the_class(class_loss):
    """Expect ``class_loss(class_logits, labels)``."""
    logits, labels = torch.randn(6, 10), torch.tensor([3, 1, 4, 1, 5, 9])
    yield "it is log 10 where all ten logits are equal"
    hint = "each class has the probability 1/10"
    expect_number(class_loss(torch.zeros(4, 10), labels[:4]), math.log(10), hint, atol=1e-4)

    yield "it and its gradient are right for any logits"
    expect_same(class_loss, acgan.class_loss, 3 * logits, labels)

    yield "it is right for other sizes of batch and numbers of classes"
    for n, k in ((1, 3), (9, 2)):
        expect_same(class_loss, acgan.class_loss, torch.randn(n, k), torch.randint(k, (n,)))

    yield "it is finite where the softmax rounds to 0"
    far = torch.zeros(1, 10)
    far[0, 0] = 200.0
    expect_same(class_loss, acgan.class_loss, far, torch.tensor([1]), atol=1e-3)


@loss_of_the_class.solution
def class_loss(class_logits, labels):
    """Average -log P(C = c | X) over the batch, from logits, (N, K), and labels, (N,)."""
    log_p = class_logits - class_logits.logsumexp(1, keepdim=True)  # the log of the softmax
    return -log_p[torch.arange(len(labels)), labels].mean()


@exercise("4.2", "Implement: the two losses of a step")
def losses_of_a_step(step_losses):
    """Expect ``step_losses(netG, netD, real, labels, z, c, weight)``, which returns two losses."""
    netG, netD = two_losses.Painter(), _Critic()
    real, z = torch.randn(8, 5), torch.randn(8, 3)
    labels, c = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]), torch.tensor([2, 2, 0, 1, 0, 0, 1, 2])
    yield from two_losses.compare(
        step_losses, losses_of_a_step.answer, netG, netD, real, labels, z, c, 0.7
    )


class _Critic(nn.Module):
    """A discriminator of five numbers with two heads."""

    def __init__(self):
        super().__init__()
        self.shared, self.real, self.named = nn.Linear(5, 8), nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        h = torch.tanh(self.shared(x))
        return self.real(h).squeeze(1), self.named(h)


@losses_of_a_step.solution
def step_losses(netG, netD, real, labels, z, c, weight):
    """Return the losses of D and of G; ``c`` are the classes that G is given."""
    fake = netG(z, c)
    real_logits, real_classes = netD(real)
    fake_logits, fake_classes = netD(fake.detach())
    named = acgan.class_loss(real_classes, labels) + acgan.class_loss(fake_classes, c)
    loss_d = acgan.d_loss(real_logits, fake_logits) + weight * named
    logits, classes = netD(fake)
    loss_g = acgan.g_loss(logits) + weight * acgan.class_loss(classes, c)
    return loss_d, loss_g


@exercise("4.3", "Predict: values of the class loss")
def class_losses(answer):
    """Expect a dict of three numbers."""
    far = torch.full((1, 10), -50.0)
    far[0, 0] = 50.0
    label = torch.tensor([0])
    expected = {
        "no_idea": acgan.class_loss(torch.zeros(1, 10), label),
        "sure_and_right": acgan.class_loss(far, label),
        "softmax_twice": acgan.class_loss(far.softmax(1), label),
    }
    yield "the answer names no_idea, sure_and_right and softmax_twice"
    expect_names(answer, expected)
    hints = {
        "no_idea": "every class has the probability 1/10: what is minus its logarithm?",
        "sure_and_right": "the right class has the probability 1",
        "softmax_twice": "the second softmax sees the ten numbers 1, 0, 0, ..., 0 as logits",
    }
    for name, value in expected.items():
        yield f"{name} is right to two decimals"
        expect_number(answer[name], float(value), hints[name])


class_losses.solution(
    {"no_idea": 2.303, "sure_and_right": 0.0, "softmax_twice": 1.461},
    "Without any idea each of ten classes has the probability 1/10: log 10 = 2.303. If D is sure "
    "and right, the loss is 0. With a softmax before the cross-entropy the logits of the sure "
    "answer are 1, 0, ..., 0, so the right class gets e / (e + 9) = 0.232 at best, and the loss "
    "cannot fall below log(1 + 9 / e) = 1.461.",
)


@exercise("4.4", "Implement: pictures without a label")
def missing_labels(partial_class_loss):
    """Expect ``partial_class_loss(class_logits, labels)``; the label -1 means unknown."""
    right, logits = missing_labels.answer, torch.randn(6, 10)
    labels = torch.tensor([3, 1, 4, 1, 5, 9])
    yield "if all labels are known it is class_loss, and so is its gradient"
    expect_same(partial_class_loss, acgan.class_loss, logits, labels)

    some = torch.tensor([3, -1, 4, -1, -1, 9])
    yield "it is the mean over the pictures with a label"
    expect(partial_class_loss(logits, some), right(logits, some))

    yield "only the pictures with a label get a gradient"
    expect_same(partial_class_loss, right, logits, some)

    yield "for a batch without any label it is 0, not NaN"
    expect_same(partial_class_loss, right, logits, torch.full((6,), -1))

    yield "it is right for other sizes of batch and numbers of classes"
    for n, k in ((1, 3), (9, 2)):
        expect_same(partial_class_loss, right, 5 * torch.randn(n, k), torch.randint(-1, k, (n,)))

    yield "the argument labels is not changed"
    given = some.clone()
    partial_class_loss(logits, given)
    assert torch.equal(given, some), "it was changed in place"


@missing_labels.solution
def partial_class_loss(class_logits, labels):
    """Average the cross-entropy over the pictures that have a label."""
    known = (labels >= 0).sum().clamp(min=1)
    return F.cross_entropy(class_logits, labels, ignore_index=-1, reduction="sum") / known


def broken_step(gan, batch, run):
    """Update D and G; in one line of it something is lost."""
    cfg, real, labels = gan.cfg, batch["real"], batch["labels"]
    wanted = torch.randint(cfg.num_classes, labels.shape, device=run.device)
    with run.autocast():
        fake = gan.netG(acgan.draw_z(cfg, len(real), device=run.device), wanted)
        real_logits, real_classes = gan.netD(real)
        fake_logits, fake_classes = gan.netD(fake.detach())
        adv_d = acgan.d_loss(real_logits, fake_logits)
        class_d = acgan.class_loss(real_classes, labels) + acgan.class_loss(fake_classes, wanted)
    gan.opt_d.zero_grad()
    (adv_d + cfg.lambda_class * class_d).backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        logits, _ = gan.netD(fake)
        _, classes = gan.netD(fake.detach())
        adv_g, class_g = acgan.g_loss(logits), acgan.class_loss(classes, wanted)
    gan.opt_g.zero_grad()
    (adv_g + cfg.lambda_class * class_g).backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {
        "D/adv": adv_d.detach(),
        "D/class": class_d.detach(),
        "G/adv": adv_g.detach(),
        "G/class": class_g.detach(),
    }


@exercise("4.5", "Diagnose: a generator that ignores the class")
def mended(step):
    """Expect a ``train_step``."""
    run = runtime.start("cpu", 0)
    cfg = replace(acgan.PRESETS["smoke"], image_size=16, ema_decay=0.0, lambda_class=0.7)
    gan, twin = acgan.build(cfg, run), acgan.build(cfg, run)
    batches = [
        {"real": torch.rand(16, 1, 16, 16) * 2 - 1, "labels": torch.randint(10, (16,))}
        for _ in range(2)
    ]
    yield "it can be called like train_step"
    done = steps.take(step, gan, batches, run)

    def loss_d(nets, z, wanted, real, labels, fake_labels=None):
        real_logits, real_classes = nets.netD(real)
        fake_logits, fake_classes = nets.netD(nets.netG(z, wanted))
        asked = wanted if fake_labels is None else fake_labels
        classes = acgan.class_loss(real_classes, labels) + acgan.class_loss(fake_classes, asked)
        return acgan.d_loss(real_logits, fake_logits) + cfg.lambda_class * classes

    def loss_g(nets, z, wanted, labels=None):
        logits, classes = nets.netD(nets.netG(z, wanted))
        asked = wanted if labels is None else labels
        return acgan.g_loss(logits) + cfg.lambda_class * acgan.class_loss(classes, asked)

    def adversarial(nets, z, wanted):
        return acgan.g_loss(nets.netD(nets.netG(z, wanted))[0])

    for one, batch, which in zip(done, batches, ("first", "second"), strict=True):
        labels = batch["labels"]
        yield f"D's {which} update is that of train_step"
        text = "D learns the labels of the real pictures for fakes of other classes"
        mistakes = {text: partial(loss_d, **batch, fake_labels=labels)}
        steps.expect_update(one, "D", twin, partial(loss_d, **batch), mistakes)

        yield f"G's {which} update follows both losses, for the classes that G was given"
        text = "the class loss asks for the labels of the real pictures"
        mistakes = {text: partial(loss_g, labels=labels)}
        mistakes["no gradient of the class loss reaches G"] = adversarial
        steps.expect_update(one, "G", twin, loss_g, mistakes)


@mended.solution
def mended_step(gan, batch, run):
    """Update D and G; the gradient of the class loss passes through D into G."""
    cfg, real, labels = gan.cfg, batch["real"], batch["labels"]
    wanted = torch.randint(cfg.num_classes, labels.shape, device=run.device)
    with run.autocast():
        fake = gan.netG(acgan.draw_z(cfg, len(real), device=run.device), wanted)
        real_logits, real_classes = gan.netD(real)
        fake_logits, fake_classes = gan.netD(fake.detach())
        adv_d = acgan.d_loss(real_logits, fake_logits)
        class_d = acgan.class_loss(real_classes, labels) + acgan.class_loss(fake_classes, wanted)
    gan.opt_d.zero_grad()
    (adv_d + cfg.lambda_class * class_d).backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        logits, classes = gan.netD(fake)  # not detached
        adv_g, class_g = acgan.g_loss(logits), acgan.class_loss(classes, wanted)
    gan.opt_g.zero_grad()
    (adv_g + cfg.lambda_class * class_g).backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {
        "D/adv": adv_d.detach(),
        "D/class": class_d.detach(),
        "G/adv": adv_g.detach(),
        "G/class": class_g.detach(),
    }


the_paper = multiple_choice(
    "4.6",
    "Read: what the paper measured",
    "abcde",
    right="ace",
    hints={
        "b": "in section 4.2, with which class of the training data is each class compared?",
        "d": "in section 4.3, what is the sign of the correlation?",
    },
)
the_paper.solution(
    ["a", "c", "e"],
    "Section 4: 100 models of ten classes each, since more classes made the samples worse "
    "(appendix B): (a). Section 4.2 compares each class with the *least* diverse class of the "
    "training data, MS-SSIM 0.25, and not with its own: (c) and not (b). Section 4.3 finds "
    "accuracy and MS-SSIM anti-correlated (r^2 = -0.16, as the paper writes it): classes that "
    "collapse look bad too, so (d) is wrong. Section 5 proposes (e), and exercise 4.4 writes it.",
)

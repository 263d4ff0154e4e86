"""The exercises of lesson 8, StarGAN."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from gancourse.exercises import (
    exercise,
    expect,
    expect_names,
    expect_number,
    expect_same,
    multiple_choice,
)
from gancourse.exercises.reading import number
from gancourse.gans import stargan
from gancourse.training import runtime


@exercise("8.1", "Predict: generators, divergences, a slope")
def predicted(answer):
    """Expect a dict of four numbers."""
    yield "the answer names generators, jsd, wasserstein and slope"
    expect_names(answer, ("generators", "jsd", "wasserstein", "slope"))

    yield "there are k (k - 1) generators, one for each direction"
    expect_number(answer["generators"], 30, "count the ordered pairs of six domains", atol=0)

    yield "the Jensen-Shannon divergence is that of densities that do not overlap"
    got = number(answer["jsd"])
    assert abs(got - 5) > 0.01, "that is how far the mass is moved, not the divergence"
    assert abs(got - 1) > 0.01, "give it in nats, not in bits"
    expect_number(got, math.log(2), "D can tell two disjoint densities without an error")

    yield "the Wasserstein distance is how far the mass is moved"
    expect_number(answer["wasserstein"], 5, "all of the mass is moved equally far")

    yield "at the slope the derivative of the loss is 0"
    got = number(answer["slope"])
    assert abs(got - 1) > 0.001, (
        "the penalty is 0 to first order at 1, so that a larger slope is better"
    )
    expect_number(got, 1.05, "differentiate -s W + lambda (s - 1)^2 by s", atol=0.002)


predicted.solution(
    {"generators": 30, "jsd": 0.693, "wasserstein": 5, "slope": 1.05},
    "Six domains have 6 * 5 = 30 directions. Disjoint boxes have the divergence log 2 = 0.693, "
    "however far apart, and the Wasserstein distance 5. The slope: -W + 2 lambda (s - 1) = 0, so "
    "s = 1 + W / (2 lambda) = 1.05. Under a soft penalty the best critic reports 5 % "
    "more than W = 1.",
)


@exercise("8.2", "Implement: the mask vector")
def mask_vector(with_mask):
    """Expect ``with_mask(labels, source)``."""
    labels = [torch.rand(5, 3) + 1, torch.rand(5, 4) + 1]
    source = torch.tensor([0, 1, 1, 0, 1])
    yield "the output holds all labels, and a number for each set"
    out = with_mask(labels, source)
    expect(tuple(out.shape), (5, 3 + 4 + 2))

    yield "the mask is the one-hot vector of the source"
    expect(out[:, 7:], torch.eye(2)[source])

    yield "known labels stay in their place"
    expect(out[source == 0, :3], labels[0][source == 0])
    expect(out[source == 1, 3:7], labels[1][source == 1])

    yield "unknown labels are 0, whatever was given"
    expect(out[source == 1, :3], torch.zeros(3, 3))
    expect(out[source == 0, 3:7], torch.zeros(2, 4))

    yield "it works for three sets, and for a batch from one of them"
    three = [torch.ones(2, 2), torch.ones(2, 1), torch.ones(2, 3)]
    expect(
        with_mask(three, torch.tensor([2, 2])),
        torch.tensor([0.0, 0, 0, 1, 1, 1, 0, 0, 1]).expand(2, -1),
    )

    yield "the labels get a gradient where they are known, and none where they are not"
    expect_same(
        lambda a, b: with_mask([a, b], source),
        lambda a, b: mask_vector.answer([a, b], source),
        *labels,
    )


@mask_vector.solution
def with_mask(labels, source):
    """Join the labels of all sets, (N, k_i) each, and the mask: (N, sum of k_i + sets)."""
    mask = F.one_hot(source, len(labels)).to(labels[0].dtype)
    return torch.cat([*(part * mask[:, i : i + 1] for i, part in enumerate(labels)), mask], 1)


@exercise("8.3", "Implement: a penalty on one side")
def one_sided(penalty):
    """Expect ``one_sided_penalty(netD, real, fake)``."""
    real, fake = torch.rand(6, 3, 4, 4), torch.rand(6, 3, 4, 4)

    def critic(slope):
        w = torch.ones(3, 4, 4) / 48**0.5 * slope
        w.requires_grad_()
        return w, lambda x: ((x * w).sum((1, 2, 3)).view(-1, 1, 1), None)

    for slope in (1.5, 3.0):
        yield f"a slope of {slope} costs (slope - 1)^2, as before"
        expect(penalty(critic(slope)[1], real, fake), torch.tensor((slope - 1) ** 2))

    for slope in (0.2, 1.0):
        yield f"a slope of {slope} costs nothing"
        expect(penalty(critic(slope)[1], real, fake), torch.tensor(0.0))

    yield "it is the mean over the pictures, each with its own slope"
    steep = torch.tensor([0.5, 0.5, 0.5, 2.0, 2.0, 2.0]).view(-1, 1, 1, 1) / 48**0.5
    mixed = penalty(lambda x: ((x * steep).sum((1, 2, 3)).view(-1, 1, 1), None), real, fake)
    expect(mixed, torch.tensor(0.5))

    yield "the slope is taken between real and fake, not at one of them"
    ends = torch.full((4000, 1, 1, 1), 3.0), torch.zeros(4000, 1, 1, 1)
    quadratic = penalty(lambda x: (x.square().sum((1, 2, 3)).view(-1, 1, 1) / 2, None), *ends)
    expect(quadratic, torch.tensor(8 / 9), atol=0.06)

    yield "the slope is that of the sum of D's answers for all patches"
    four = penalty(lambda x: (critic(1.0)[1](x)[0].expand(-1, 2, 2), None), real, fake)
    expect(four, torch.tensor(9.0))

    yield "its gradient for the critic's weights is right, so that the critic learns from it"
    for slope in (0.5, 3.0):
        direction = torch.randn(3, 4, 4)

        def cost(w):
            return penalty(lambda x: ((x * w).sum((1, 2, 3)).view(-1, 1, 1), None), real, fake)

        expect_same(
            cost,
            lambda w: (w.norm() - 1).clamp(min=0) ** 2,
            direction / direction.norm() * slope,
            atol=1e-4,
        )


@one_sided.solution
def one_sided_penalty(netD, real, fake):
    """Return the mean of max(0, |gradient| - 1)^2 between real and fake."""
    mix = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(fake.float(), real.float(), mix).requires_grad_()
    (slope,) = torch.autograd.grad(netD(between)[0].sum(), between, create_graph=True)
    norm = torch.linalg.vector_norm(slope.flatten(1), dim=1, dtype=torch.float32)
    return (norm - 1).clamp(min=0).square().mean()


def broken_g_loss(gan, real, c_org, c_trg, source):
    """Return G's loss; one line in it has the wrong labels."""
    cfg = gan.cfg
    fake = gan.netG(real, c_trg, source)
    x_rec = gan.netG(fake, c_org, source)
    fake_logits, class_logits = gan.netD(fake)
    adv = stargan.g_loss(fake_logits)
    cls = stargan.class_loss(class_logits, c_org, source, cfg.label_kinds, cfg.label_sizes)
    return adv + cfg.lambda_cls * cls + cfg.lambda_rec * F.l1_loss(x_rec, real)


@exercise("8.4", "Diagnose: the hair stays as it was")
def mended(g_loss):
    """Expect a loss of G."""
    cfg = replace(stargan.PRESETS["smoke"], lambda_cls=3.0)
    gan = stargan.build(cfg, runtime.start("cpu", 0))
    real, source = torch.rand(6, 3, 32, 32) * 2 - 1, torch.arange(6) % 2
    c_org, c_trg = torch.zeros(6, 14), torch.zeros(6, 14)
    c_org[source == 0, :3], c_org[source == 1, 9] = 1, 1
    c_trg[source == 0, 3:6], c_trg[source == 1, 12] = 1, 1

    def gradient(loss):
        slopes = torch.autograd.grad(loss, list(gan.netG.parameters()), retain_graph=True)
        return torch.cat([slope.flatten() for slope in slopes])

    def paper(c_cls=c_trg, c_rec=c_org, adv=1, cls=cfg.lambda_cls, rec=cfg.lambda_rec):
        fake = gan.netG(real, c_trg, source)
        fake_logits, class_logits = gan.netD(fake)
        sets = source, cfg.label_kinds, cfg.label_sizes
        back = F.l1_loss(gan.netG(fake, c_rec, source), real)
        named = stargan.class_loss(class_logits, c_cls, *sets)
        return adv * stargan.g_loss(fake_logits) + cls * named + rec * back

    yield "it can be called, and returns one number"
    loss = g_loss(gan, real, c_org, c_trg, source)
    if loss is None:
        raise NotImplementedError
    assert torch.is_tensor(loss) and loss.numel() == 1, "the loss is one number, in a tensor"

    yield "the loss is that of the paper"
    hints = {
        "the class loss asks for the labels that the picture has": paper(c_cls=c_org),
        "the fake is translated back to other labels than the picture's own": paper(c_rec=c_trg),
        "the adversarial term is missing": paper(adv=0),
        "the class loss is missing": paper(cls=0),
        "the reconstruction is missing": paper(rec=0),
    }
    for hint, mistake in hints.items():
        assert not torch.isclose(loss.squeeze(), mistake, atol=1e-4), hint
    expect(loss, paper(), atol=1e-4)

    yield "and so is its gradient for G's weights"
    assert loss.requires_grad, "no gradient comes back from it"
    got, right = gradient(loss), gradient(paper())
    assert (got - right).norm() < 1e-3 * right.norm(), "a term does not reach G"


@mended.solution
def mended_g_loss(gan, real, c_org, c_trg, source):
    """Return G's loss: adversarial, the class of the target, the reconstruction."""
    cfg = gan.cfg
    fake = gan.netG(real, c_trg, source)
    x_rec = gan.netG(fake, c_org, source)
    fake_logits, class_logits = gan.netD(fake)
    adv = stargan.g_loss(fake_logits)
    cls = stargan.class_loss(class_logits, c_trg, source, cfg.label_kinds, cfg.label_sizes)
    return adv + cfg.lambda_cls * cls + cfg.lambda_rec * F.l1_loss(x_rec, real)


the_code = multiple_choice(
    "8.5",
    "Read: what the authors' code does",
    "abcdef",
    right="adf",
    hints={
        "b": "which pictures does the class loss of D see?",
        "c": "count the input channels of both networks when both sets are used",
        "e": "look for a norm in the class Discriminator",
    },
)
the_code.solution(
    ["a", "d", "f"],
    "The targets are the labels in a random order (a). D's class loss is taken on real pictures "
    "alone, G's on fakes (not b). With both sets G gets c_dim + c2_dim + 2 planes; D gets no mask "
    "and only has c_dim + c2_dim outputs (not c). The gradient is taken with ones for all patches, "
    "which sums them (d). D has convolutions and LeakyReLU and no norm at all (not e). The penalty "
    "needs the slope of each picture: it rules out batch norm, which mixes them, but not instance "
    "norm. The binary cross-entropy is a sum, divided by the number of pictures (f).",
)

"""The exercises of lesson 8, StarGAN."""

import inspect
import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from gancourse.exercises import exercise, expect, letters
from gancourse.gans import stargan
from gancourse.training import runtime


@exercise("8.1", "Predict: generators, distances, a soft slope")
def numbers(answer):
    """Expect a dict of four numbers."""
    yield "k (k - 1) generators: one for each direction"
    expect(float(answer["generators"]), 30.0)

    yield "boxes that do not overlap: Jensen-Shannon has no more to say"
    got = float(answer["jsd"])
    assert abs(got - 5) > 0.01, "that is how far the mass is carried, not the divergence"
    assert abs(got - 1) > 0.01, "in nats, not in bits"
    assert abs(got - math.log(2)) < 0.006, f"{got} is not what two disjoint densities have"

    yield "the Wasserstein distance is how far the mass is carried"
    expect(float(answer["wasserstein"]), 5.0)

    yield "the slope sets the derivative to zero"
    got = float(answer["slope"])
    assert abs(got - 1) > 0.001, "the penalty is soft: a little more slope pays"
    assert abs(got - 1.05) < 0.002, "differentiate -s W + lambda (s - 1)^2 by s"


numbers.solution(
    {"generators": 30, "jsd": 0.693, "wasserstein": 5, "slope": 1.05},
    "Six domains have 6 * 5 = 30 directions. Disjoint boxes have the divergence log 2 = 0.693, "
    "however far apart, and the Wasserstein distance 5. The slope: -W + 2 lambda (s - 1) = 0, so "
    "s = 1 + W / (2 lambda) = 1.05. Under a soft penalty the best critic reports 5 % "
    "more than W = 1.",
)
numbers.wrong({"generators": 15, "jsd": 0.693, "wasserstein": 5, "slope": 1.05})
numbers.wrong({"generators": 30, "jsd": 5, "wasserstein": 5, "slope": 1.05})
numbers.wrong({"generators": 30, "jsd": 0.693, "wasserstein": 5, "slope": 1.0})
numbers.wrong({"generators": 30, "jsd": 0.693, "wasserstein": 4, "slope": 1.05})


@exercise("8.2", "Implement: the mask vector")
def mask_vector(with_mask):
    """Expect ``with_mask(labels, source)``."""
    labels = [torch.rand(5, 3) + 1, torch.rand(5, 4) + 1]
    source = torch.tensor([0, 1, 1, 0, 1])
    yield "all labels, and a number for each set"
    out = with_mask(labels, source)
    expect(tuple(out.shape), (5, 3 + 4 + 2))

    yield "the mask says whose labels they are"
    expect(out[:, 7:], torch.eye(2)[source])

    yield "what is known stays in its place"
    expect(out[source == 0, :3], labels[0][source == 0])
    expect(out[source == 1, 3:7], labels[1][source == 1])

    yield "what is unknown is zero, whatever stood there"
    expect(out[source == 1, :3], torch.zeros(3, 3))
    expect(out[source == 0, 3:7], torch.zeros(2, 4))

    yield "there may be more sets, and a batch of one set alone"
    three = [torch.ones(2, 2), torch.ones(2, 1), torch.ones(2, 3)]
    expect(
        with_mask(three, torch.tensor([2, 2])),
        torch.tensor([0.0, 0, 0, 1, 1, 1, 0, 0, 1]).expand(2, -1),
    )


@mask_vector.solution
def with_mask(labels, source):
    """Join the labels of all sets, (N, k_i) each, and the mask: (N, sum of k_i + sets)."""
    mask = F.one_hot(source, len(labels)).to(labels[0].dtype)
    return torch.cat([*(part * mask[:, i : i + 1] for i, part in enumerate(labels)), mask], 1)


@mask_vector.wrong
def no_zeros(labels, source):
    return torch.cat([*labels, F.one_hot(source, len(labels)).to(labels[0].dtype)], 1)


@mask_vector.wrong
def mask_first(labels, source):
    mask = F.one_hot(source, len(labels)).to(labels[0].dtype)
    return torch.cat([mask, *(part * mask[:, i : i + 1] for i, part in enumerate(labels))], 1)


@mask_vector.wrong
def the_others_are_known(labels, source):
    mask = F.one_hot(source, len(labels)).to(labels[0].dtype)
    return torch.cat([*(part * (1 - mask[:, i : i + 1]) for i, part in enumerate(labels)), mask], 1)


@mask_vector.wrong
def as_many_as_occur(labels, source):
    mask = F.one_hot(source).to(labels[0].dtype)
    return torch.cat([*(p * mask[:, i : i + 1] for i, p in enumerate(labels[:2])), mask], 1)


@exercise("8.3", "Modify: a penalty on one side")
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

    yield "the slope is taken between the two, not at one of them"
    ends = torch.full((4000, 1, 1, 1), 3.0), torch.zeros(4000, 1, 1, 1)
    bowl = penalty(lambda x: (x.square().sum((1, 2, 3)).view(-1, 1, 1) / 2, None), *ends)
    expect(bowl, torch.tensor(8 / 9), atol=0.06)

    yield "D gives an answer for each patch, and their slopes add up"
    four = penalty(lambda x: (critic(1.0)[1](x)[0].expand(-1, 2, 2), None), real, fake)
    expect(four, torch.tensor(9.0))

    yield "the critic learns from it"
    w, steep = critic(3.0)
    penalty(steep, real, fake).backward()
    assert w.grad is not None and w.grad.norm() > 1, "no gradient reached its weights"


@one_sided.solution
def one_sided_penalty(netD, real, fake):
    """Return the mean of max(0, |gradient| - 1)^2 between real and fake."""
    mix = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(fake.float(), real.float(), mix).requires_grad_()
    (slope,) = torch.autograd.grad(netD(between)[0].sum(), between, create_graph=True)
    norm = torch.linalg.vector_norm(slope.flatten(1), dim=1, dtype=torch.float32)
    return (norm - 1).clamp(min=0).square().mean()


one_sided.wrong(stargan.gradient_penalty)


@one_sided.wrong
def at_the_real_pictures(netD, real, fake):
    return one_sided_penalty(netD, real, real)


@one_sided.wrong
def the_mean_over_patches(netD, real, fake):
    return one_sided_penalty(lambda x: (netD(x)[0].flatten(1).mean(1), None), real, fake)


@one_sided.wrong
def flat_is_an_offence(netD, real, fake):
    between = real.clone().requires_grad_()
    (slope,) = torch.autograd.grad(netD(between)[0].sum(), between, create_graph=True)
    return (1 - slope.flatten(1).norm(dim=1)).clamp(min=0).square().mean()


@one_sided.wrong
def clamped_after_the_mean(netD, real, fake):
    between = real.clone().requires_grad_()
    (slope,) = torch.autograd.grad(netD(between)[0].sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1).mean() - 1).clamp(min=0).square()


@one_sided.wrong
def cut_off_from_the_weights(netD, real, fake):
    between = real.clone().requires_grad_()
    (slope,) = torch.autograd.grad(netD(between)[0].sum(), between, retain_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).clamp(min=0).square().mean()


def broken_g_loss(gan, real, labels, wanted, source):
    """Return G's loss; somewhere in here the wrong labels are asked for."""
    cfg = gan.cfg
    fake = gan.netG(real, wanted, source)
    back = gan.netG(fake, labels, source)
    fake_logits, class_logits = gan.netD(fake)
    adv = stargan.g_loss(fake_logits)
    cls = stargan.class_loss(class_logits, labels, source, cfg.label_kinds, cfg.label_sizes)
    return adv + cfg.lambda_cls * cls + cfg.lambda_rec * F.l1_loss(back, real)


@exercise("8.4", "Diagnose: the hair stays as it was")
def mended(g_loss):
    """Expect a loss of G."""
    cfg = replace(stargan.PRESETS["smoke"], lambda_cls=3.0)
    gan = stargan.build(cfg, runtime.start("cpu", 0))
    real, source = torch.rand(6, 3, 32, 32) * 2 - 1, torch.arange(6) % 2
    labels = torch.zeros(6, 14)
    labels[source == 0, :3], labels[source == 1, 9] = 1, 1
    wanted = torch.zeros(6, 14)
    wanted[source == 0, 3:6], wanted[source == 1, 12] = 1, 1
    told, named = [], []
    names = inspect.signature(gan.netG.forward)

    def note(_, inputs, options, out):
        given = names.bind(*inputs, **options).arguments
        told.append((given["x"], given["c"], out))

    gan.netG.register_forward_hook(note, with_kwargs=True)
    gan.netD.register_forward_hook(lambda _, inputs, out: named.append(inputs[0]))

    yield "it can be called, and returns one number"
    loss = g_loss(gan, real, labels, wanted, source)
    expect(tuple(loss.shape), ())

    yield "G is asked for the target, and then for the old labels of what it made"
    assert len(told) == 2, f"G was called {len(told)} times"
    assert torch.equal(told[0][0], real) and torch.equal(told[0][1], wanted), "see the first call"
    assert torch.equal(told[1][0], told[0][2]) and torch.equal(told[1][1], labels), "see the second"

    yield "D judges what G made of the target"
    assert len(named) == 1 and torch.equal(named[0], told[0][2])

    yield "the loss is that of the paper"
    fake, back = told[0][2], told[1][2]
    fake_logits, class_logits = gan.netD(fake)
    sets = source, cfg.label_kinds, cfg.label_sizes
    right = stargan.class_loss(class_logits, wanted, *sets)
    expected = stargan.g_loss(fake_logits) + 3 * right + 10 * F.l1_loss(back, real)
    assert torch.allclose(loss, expected, atol=1e-4), "one of the three terms is another"


@mended.solution
def mended_g_loss(gan, real, labels, wanted, source):
    """Return G's loss: fool D, be named as the target, and come back."""
    cfg = gan.cfg
    fake = gan.netG(real, wanted, source)
    back = gan.netG(fake, labels, source)
    fake_logits, class_logits = gan.netD(fake)
    adv = stargan.g_loss(fake_logits)
    cls = stargan.class_loss(class_logits, wanted, source, cfg.label_kinds, cfg.label_sizes)
    return adv + cfg.lambda_cls * cls + cfg.lambda_rec * F.l1_loss(back, real)


mended.wrong(broken_g_loss)


@mended.wrong
def asked_for_what_is_there(gan, real, labels, wanted, source):
    return mended_g_loss(gan, real, labels, labels, source)


@mended.wrong
def no_way_back(gan, real, labels, wanted, source):
    return mended_g_loss(gan, real, wanted, wanted, source)


@mended.wrong
def without_the_labels(gan, real, labels, wanted, source):
    fake = gan.netG(real, wanted, source)
    back = gan.netG(fake, labels, source)
    return stargan.g_loss(gan.netD(fake)[0]) + gan.cfg.lambda_rec * F.l1_loss(back, real)


@exercise("8.5", "Read: what the authors' code does")
def the_code(answer):
    """Expect a set of letters."""
    yield "the answer is a set of the letters a to f"
    given = letters(answer, "abcdef")
    yield "nothing is named that the code does not do"
    assert "b" not in given, "which pictures does the class loss of D see?"
    assert "c" not in given, "count the input channels of both networks when both sets are used"
    assert "e" not in given, "look for a norm in the class Discriminator"
    yield "everything is named that it does"
    assert given == set("adf"), "there is one more"


the_code.solution(
    ["a", "d", "f"],
    "The targets are the labels in a random order (a). D's class loss is taken on real pictures "
    "alone, G's on fakes (not b). With both sets G gets c_dim + c2_dim + 2 planes, and D just has "
    "c_dim + c2_dim outputs: it is told nothing (not c). The gradient is taken with ones for all "
    "patches, which sums them (d). D has convolutions and LeakyReLU, no norm: one over the batch "
    "would mix the pictures whose slopes the penalty asks for (not e). The binary cross-entropy is "
    "a sum, divided by the number of pictures (f).",
)
the_code.wrong({"a", "f"})
the_code.wrong({"a", "b", "d", "f"})
the_code.wrong({"a", "c", "d", "f"})
the_code.wrong({"a", "d", "e", "f"})

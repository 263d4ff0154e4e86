"""Right and wrong answers to the exercises of lesson 15."""

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers
from torch import nn

from gancourse.exercises.lesson_15 import broken_loss

answers = Answers(15)


# 15.1: a normalisation that a map steers


@answers.accept("15.1")
def by_hand(h, gamma, beta):
    mean = h.mean((0, 2, 3), keepdim=True)
    var = ((h - mean) ** 2).mean((0, 2, 3), keepdim=True)
    return (h - mean) / torch.sqrt(var + 1e-5) * (1 + gamma) + beta


@answers.accept("15.1")
def with_a_layer(h, gamma, beta):
    return torch.addcmul(beta, nn.BatchNorm2d(h.shape[1], affine=False)(h), gamma + 1)


@answers.accept("15.1")
def channel_by_channel(h, gamma, beta):
    rows = h.transpose(0, 1).flatten(1)
    rows = (rows - rows.mean(1, keepdim=True)) / (
        rows.var(1, correction=0, keepdim=True) + 1e-5
    ).sqrt()
    normed = rows.unflatten(1, (h.shape[0], *h.shape[2:])).transpose(0, 1)
    return normed + normed * gamma + beta


@answers.accept("15.1")
def by_instance_norm_of_one_large_picture(h, gamma, beta):
    """The pictures of a batch beside each other are one picture."""
    n, c, height, width = h.shape
    wide = h.transpose(0, 1).reshape(1, c, n * height, width)
    normed = F.instance_norm(wide).reshape(c, n, height, width).transpose(0, 1)
    return beta + normed * (1 + gamma)


@answers.accept("15.1")
def by_batch_norm_of_a_layer_in_training(h, gamma, beta):
    layer = nn.BatchNorm2d(h.shape[1], track_running_stats=False)
    return layer.train()(h).mul(gamma.add(1)).add(beta)


@answers.refuse("15.1")
def gamma_without_one(h, gamma, beta):
    return F.batch_norm(h, None, None, training=True) * gamma + beta


@answers.refuse("15.1")
def by_instance_norm(h, gamma, beta):
    return F.instance_norm(h) * (1 + gamma) + beta


@answers.refuse("15.1")
def scaled_before_the_norm(h, gamma, beta):
    return F.batch_norm(h * (1 + gamma) + beta, None, None, training=True)


@answers.refuse("15.1")
def one_scale_for_each_channel(h, gamma, beta):
    scale, shift = (v.mean((0, 2, 3), keepdim=True) for v in (gamma, beta))
    return F.batch_norm(h, None, None, training=True) * (1 + scale) + shift


@answers.refuse("15.1")
def with_the_statistics_of_nothing(h, gamma, beta):
    return nn.BatchNorm2d(h.shape[1], affine=False).eval()(h) * (1 + gamma) + beta


@answers.refuse("15.1")
def with_a_norm_that_is_cut_off(h, gamma, beta):
    return F.batch_norm(h, None, None, training=True).detach() * (1 + gamma) + beta


# 15.2: the hinge loss


@answers.accept("15.2")
def with_clamp(real_logits, fake_logits):
    scales = zip(real_logits, fake_logits, strict=True)
    return torch.stack(
        [(1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean() for r, f in scales]
    ).mean()


@answers.accept("15.2")
def with_minimum(real_logits, fake_logits):
    total = 0
    for r in real_logits:
        total = total - torch.minimum(torch.zeros_like(r), r - 1).mean()
    for f in fake_logits:
        total = total - torch.minimum(torch.zeros_like(f), -f - 1).mean()
    return total / len(real_logits)


@answers.accept("15.2")
def by_margin_loss(real_logits, fake_logits):
    def hinge(scores, sign):
        target = torch.full((scores.numel(),), float(sign))
        return F.margin_ranking_loss(scores.flatten(), torch.zeros_like(target), target, margin=1.0)

    scales = [*zip(real_logits, fake_logits, strict=True)]
    return sum(hinge(r, 1) + hinge(f, -1) for r, f in scales) / len(scales)


@answers.accept("15.2")
def with_masks(real_logits, fake_logits):
    losses = []
    for r, f in zip(real_logits, fake_logits, strict=True):
        losses.append(((1 - r) * (r < 1)).mean() + ((1 + f) * (f > -1)).mean())
    return sum(losses) / len(losses)


@answers.accept("15.2")
def from_both_in_one(real_logits, fake_logits):
    """Real and fake scores have equally many patches."""
    both = [torch.cat([-r, f]) for r, f in zip(real_logits, fake_logits, strict=True)]
    return sum(2 * F.relu(1 + scores).mean() for scores in both) / len(both)


@answers.refuse("15.2")
def summed_over_the_scales(real_logits, fake_logits):
    scales = zip(real_logits, fake_logits, strict=True)
    return sum(F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in scales)


@answers.refuse("15.2")
def over_all_patches(real_logits, fake_logits):
    r, f = (torch.cat([s.flatten() for s in some]) for some in (real_logits, fake_logits))
    return F.relu(1 - r).mean() + F.relu(1 + f).mean()


@answers.refuse("15.2")
def with_the_signs_turned(real_logits, fake_logits):
    scales = [*zip(real_logits, fake_logits, strict=True)]
    return sum(F.relu(1 + r).mean() + F.relu(1 - f).mean() for r, f in scales) / len(scales)


@answers.refuse("15.2")
def softly(real_logits, fake_logits):
    scales = [*zip(real_logits, fake_logits, strict=True)]
    return sum(F.softplus(1 - r).mean() + F.softplus(1 + f).mean() for r, f in scales) / len(scales)


@answers.refuse("15.2")
def of_mean_scores(real_logits, fake_logits):
    scales = [*zip(real_logits, fake_logits, strict=True)]
    return sum(F.relu(1 - r.mean()) + F.relu(1 + f.mean()) for r, f in scales) / len(scales)


@answers.refuse("15.2")
def without_the_hinge(real_logits, fake_logits):
    scales = [*zip(real_logits, fake_logits, strict=True)]
    return sum((1 - r).mean() + (1 + f).mean() for r, f in scales) / len(scales)


# 15.3: a smaller map


@answers.accept("15.3")
def by_steps(m, classes, side):
    step = m.shape[1] // side
    return F.one_hot(m[:, ::step, ::step], classes).permute(0, 3, 1, 2)


@answers.accept("15.3")
def numbers_first(m, classes, side):
    small = F.interpolate(m[:, None].float(), (side, side), mode="nearest")[:, 0].long()
    return torch.stack([small == k for k in range(classes)], 1).float()


@answers.accept("15.3")
def with_the_middle_pixel(m, classes, side):
    planes = torch.eye(classes)[m].permute(0, 3, 1, 2)
    return F.interpolate(planes, (side, side), mode="nearest-exact")


@answers.accept("15.3")
def by_the_majority(m, classes, side):
    """Of two classes that are equally frequent, the first: still one that is there."""
    planes = F.one_hot(m, classes).movedim(3, 1).float()
    return F.one_hot(F.adaptive_avg_pool2d(planes, side).argmax(1), classes).movedim(3, 1)


@answers.accept("15.3")
def with_numpy(m, classes, side):
    step = m.shape[1] // side
    small = m.numpy()[:, step // 2 :: step, step // 2 :: step]
    return (small[:, None] == np.arange(classes)[None, :, None, None]).astype(np.float32)


@answers.refuse("15.3")
def bilinear(m, classes, side):
    planes = F.one_hot(m, classes).movedim(3, 1).float()
    return F.interpolate(planes, (side, side), mode="bilinear")


@answers.refuse("15.3")
def by_the_mean(m, classes, side):
    return F.adaptive_avg_pool2d(F.one_hot(m, classes).movedim(3, 1).float(), side)


@answers.refuse("15.3")
def with_mixed_numbers(m, classes, side):
    small = F.interpolate(m[:, None].float(), (side, side), mode="bilinear")[:, 0].round().long()
    return F.one_hot(small, classes).movedim(3, 1).float()


@answers.refuse("15.3")
def by_maxima(m, classes, side):
    return F.adaptive_max_pool2d(F.one_hot(m, classes).movedim(3, 1).float(), side)


@answers.refuse("15.3")
def with_the_classes_last(m, classes, side):
    step = m.shape[1] // side
    return F.one_hot(m[:, ::step, ::step], classes)


@answers.refuse("15.3")
def only_the_classes_that_occur(m, classes, side):
    step = m.shape[1] // side
    return F.one_hot(m[:, ::step, ::step]).permute(0, 3, 1, 2)


@answers.refuse("15.3")
def with_the_largest_number(m, classes, side):
    small = F.adaptive_max_pool2d(m[:, None].float(), side)[:, 0].long()
    return F.one_hot((small + 1) % classes, classes).movedim(3, 1)


# 15.4: what a layer sees

answers.accept(
    "15.4",
    {"pixels": 5 * 5, "with_ones": 1, "weights": 3_200 + 36_992, "pictures": 1},
    {"pixels": "25 pixels", "with_ones": "1", "weights": "40,192", "pictures": "1"},
    {"pictures": torch.tensor(1), "weights": 40192.0, "with_ones": [1], "pixels": np.int64(25)},
    {"pixels": 25.0, "with_ones": "1 pixel", "weights": "40192 weights", "pictures": 1.0},
    {"pixels": [25], "with_ones": torch.ones(1), "weights": {"in all": 40192}, "pictures": (1,)},
)
answers.refuse(
    "15.4",
    {"pixels": 9, "with_ones": 1, "weights": 40_192, "pictures": 1},
    {"pixels": 36, "with_ones": 1, "weights": 40_192, "pictures": 1},
    {"pixels": 25, "with_ones": 4, "weights": 40_192, "pictures": 1},
    {"pixels": 25, "with_ones": 1, "weights": 21_696, "pictures": 1},
    {"pixels": 25, "with_ones": 1, "weights": 40_192, "pictures": 11},
    {"pixels": 25, "with_ones": 1, "weights": 40_192},
)


# 15.5: the broken loss


def near(of_fake, of_real):
    far = 0
    for a, b in zip(of_fake, of_real, strict=True):
        far = far + sum((f - r).abs().mean() for f, r in zip(a[:-1], b[:-1], strict=True))
    return far / len(of_fake)


@answers.accept("15.5")
def in_one_batch(netD, m, x, fake):
    both = netD(torch.cat([m, m]), torch.cat([x, fake]))
    of_real = [[h.chunk(2)[0].detach() for h in maps] for maps in both]
    of_fake = [[h.chunk(2)[1] for h in maps] for maps in both]
    return 10 * near(of_fake, of_real) - sum(maps[-1].mean() for maps in of_fake) / len(both)


@answers.accept("15.5")
def with_a_frozen_d(netD, m, x, fake):
    netD.requires_grad_(False)
    of_real, of_fake = netD(m, x), netD(m, fake)
    scores = torch.stack([maps[-1].mean() for maps in of_fake])
    return -scores.mean() + 10 * near(of_fake, of_real)


@answers.accept("15.5")
def picture_by_picture(netD, m, x, fake):
    total = 0
    for i in range(len(m)):
        part = slice(i, i + 1)
        of_real, of_fake = netD(m[part], x[part]), netD(m[part], fake[part])
        total = total + 10 * near(of_fake, of_real) - sum(s[-1].mean() for s in of_fake) / 2
    return total / len(m)


@answers.accept("15.5")
def with_indices(netD, m, x, fake):
    of_real, of_fake = netD(m, x.detach()), netD(m, fake)
    loss = 0
    for s in range(len(of_fake)):
        loss = loss - of_fake[s][-1].mean()
        for k in range(len(of_fake[s]) - 1):
            loss = loss + 10 * F.l1_loss(of_fake[s][k], of_real[s][k].detach())
    return loss / len(of_fake)


@answers.accept("15.5")
def with_negated_scores(netD, m, x, fake):
    of_real, of_fake = netD(m, x), netD(m, fake)
    adv = sum(torch.neg(maps[-1]).mean() for maps in of_fake) / len(of_fake)
    return torch.add(adv, near(of_fake, of_real), alpha=10)


answers.refuse("15.5", broken_loss)


@answers.refuse("15.5")
def still_with_the_hinge(netD, m, x, fake):
    of_real, of_fake = netD(m, x), netD(m, fake)
    return sum(F.relu(1 - s[-1]).mean() for s in of_fake) / 2 + 10 * near(of_fake, of_real)


@answers.refuse("15.5")
def still_with_anothers_map(netD, m, x, fake):
    of_real, of_fake = netD(m, x), netD(m.roll(1, 0), fake)
    return 10 * near(of_fake, of_real) - sum(s[-1].mean() for s in of_fake) / 2


@answers.refuse("15.5")
def both_with_anothers_map(netD, m, x, fake):
    m = m.roll(1, 0)
    of_real, of_fake = netD(m, x), netD(m, fake)
    return 10 * near(of_fake, of_real) - sum(s[-1].mean() for s in of_fake) / 2


@answers.refuse("15.5")
def with_the_score_turned(netD, m, x, fake):
    of_real, of_fake = netD(m, x), netD(m, fake)
    return 10 * near(of_fake, of_real) + sum(s[-1].mean() for s in of_fake) / 2


@answers.refuse("15.5")
def with_the_scores_among_the_features(netD, m, x, fake):
    of_real, of_fake = netD(m, x), netD(m, fake)
    far = sum((f - r).abs().mean() for a, b in zip(of_fake, of_real, strict=True)
              for f, r in zip(a, b, strict=True))  # fmt: skip
    return 5 * far - sum(s[-1].mean() for s in of_fake) / 2


@answers.refuse("15.5")
def with_the_fakes_detached_for_the_features(netD, m, x, fake):
    of_real, of_fake = netD(m, x), netD(m, fake)
    still = netD(m, fake.detach())
    return 10 * near(still, of_real) - sum(s[-1].mean() for s in of_fake) / 2


test_right, test_wrong, test_enough = answers.tests()

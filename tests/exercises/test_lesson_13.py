"""Right and wrong answers to the exercises of lesson 13."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises.lesson_13 import broken_psnr
from gancourse.metrics import psnr

answers = Answers(13)


answers.accept("13.1", F.pixel_shuffle)


@answers.accept("13.1")
def by_the_module(h, r):
    return torch.nn.PixelShuffle(r)(h)


@answers.accept("13.1")
def by_strides(h, r):
    n, c, height, width = h.shape
    out = h.new_zeros(n, c // r**2, r * height, r * width)
    for i in range(r):
        for j in range(r):
            out[:, :, i::r, j::r] = h[:, i * r + j :: r * r]
    return out


@answers.accept("13.1")
def by_a_transposed_convolution(h, r):
    channels = h.shape[1] // r**2
    weight = torch.eye(r * r).view(r * r, 1, r, r).repeat(channels, 1, 1, 1)
    return F.conv_transpose2d(h, weight, stride=r, groups=channels)


@answers.accept("13.1")
def by_stacks(h, r):
    rows = []
    for i in range(r):
        row = torch.stack([h[:, i * r + j :: r * r] for j in range(r)], -1)
        rows.append(row.flatten(3))
    return torch.stack(rows, 3).flatten(2, 3)


@answers.refuse("13.1")
def rows_and_columns_exchanged(h, r):
    n, c, height, width = h.shape
    h = h.view(n, c // r**2, r, r, height, width).permute(0, 1, 4, 3, 5, 2)
    return h.reshape(n, c // r**2, r * height, r * width)


@answers.refuse("13.1")
def channels_split_the_other_way(h, r):
    n, c, height, width = h.shape
    h = h.view(n, r, r, c // r**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return h.reshape(n, c // r**2, r * height, r * width)


@answers.refuse("13.1")
def a_view_alone(h, r):
    n, c, height, width = h.shape
    return h.reshape(n, c // r**2, r * height, r * width)


@answers.refuse("13.1")
def the_mean_repeated(h, r):
    n, c, height, width = h.shape
    return F.interpolate(h.view(n, c // r**2, r * r, height, width).mean(2), scale_factor=r)


@answers.refuse("13.1")
def for_the_factor_2_alone(h, r):
    return F.pixel_shuffle(h, 2)


@answers.refuse("13.1")
def without_a_gradient(h, r):
    return F.pixel_shuffle(h.detach(), r)


@answers.accept("13.2")
def by_the_squared_scale(seen, wanted, fake_logits, scale, lambda_adv):
    far = scale**2 * (seen - wanted).square().mean()
    return far - lambda_adv * F.logsigmoid(fake_logits).mean()


@answers.accept("13.2")
def by_binary_cross_entropy(seen, wanted, fake_logits, scale, lambda_adv):
    adv = F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
    return F.mse_loss(seen * scale, wanted * scale) + lambda_adv * adv


@answers.accept("13.2")
def by_sums(seen, wanted, fake_logits, scale, lambda_adv):
    far = ((seen - wanted) * scale).pow(2).sum() / seen.numel()
    return far + lambda_adv * F.softplus(-fake_logits).sum() / len(fake_logits)


@answers.accept("13.2")
def picture_by_picture(seen, wanted, fake_logits, scale, lambda_adv):
    each = [
        F.mse_loss(scale * a, scale * b) + lambda_adv * F.softplus(-c)
        for a, b, c in zip(seen, wanted, fake_logits, strict=True)
    ]
    return sum(each) / len(each)


@answers.accept("13.2")
def by_logaddexp(seen, wanted, fake_logits, scale, lambda_adv):
    adv = torch.logaddexp(torch.zeros(()), -fake_logits).mean()
    return torch.stack([scale**2 * F.mse_loss(seen, wanted), lambda_adv * adv]).sum()


@answers.refuse("13.2")
def the_scale_not_squared(seen, wanted, fake_logits, scale, lambda_adv):
    return scale * F.mse_loss(seen, wanted) + lambda_adv * F.softplus(-fake_logits).mean()


@answers.refuse("13.2")
def the_saturating_loss(seen, wanted, fake_logits, scale, lambda_adv):
    far = scale**2 * F.mse_loss(seen, wanted)
    return far - lambda_adv * F.softplus(fake_logits).mean()


@answers.refuse("13.2")
def the_log_of_a_probability(seen, wanted, fake_logits, scale, lambda_adv):
    adv = -fake_logits.sigmoid().log().mean()
    return scale**2 * F.mse_loss(seen, wanted) + lambda_adv * adv


@answers.refuse("13.2")
def the_absolute_error(seen, wanted, fake_logits, scale, lambda_adv):
    return scale**2 * F.l1_loss(seen, wanted) + lambda_adv * F.softplus(-fake_logits).mean()


@answers.refuse("13.2")
def the_sum_over_the_pictures(seen, wanted, fake_logits, scale, lambda_adv):
    return scale**2 * F.mse_loss(seen, wanted) + lambda_adv * F.softplus(-fake_logits).sum()


@answers.refuse("13.2")
def with_detached_features(seen, wanted, fake_logits, scale, lambda_adv):
    return by_the_squared_scale(seen.detach(), wanted, fake_logits, scale, lambda_adv)


answers.accept(
    "13.3",
    {"share": 0.5, "decibel": 3, "glasses": 0.3},
    {"share": "50 %", "decibel": "3.01 dB", "glasses": "30 %"},
    {"share": [1 / 2], "decibel": 10 * math.log10(2), "glasses": np.float32(0.3)},
    {"glasses": torch.tensor([0.3]), "decibel": "+3.0103", "share": torch.tensor(0.5)},
    {"share": np.array(0.5), "decibel": 10 * np.log10(2), "glasses": ".3"},
)
answers.refuse(
    "13.3",
    {"share": 0.25, "decibel": 3.01, "glasses": 0.3},
    {"share": 0.5, "decibel": 6.02, "glasses": 0.3},
    {"share": 0.5, "decibel": -3.01, "glasses": 0.3},
    {"share": 0.5, "decibel": 3.01, "glasses": 0.0},
    {"share": 0.5, "decibel": 3.01, "glasses": 0.5},
    {"share": 0.5, "decibel": 3.01},
)


@answers.accept("13.4")
def by_products(start, end, alpha):
    return {
        n: (1 - alpha) * v + alpha * end[n] if v.is_floating_point() else v.clone()
        for n, v in start.items()
    }


@answers.accept("13.4")
def with_the_counter_of_the_end(start, end, alpha):
    mixed = {n: v.clone() for n, v in end.items()}
    for n, v in start.items():
        if v.dtype == torch.float32:
            mixed[n] = v + alpha * (end[n] - v)
    return mixed


@answers.accept("13.4")
def in_double_precision(start, end, alpha):
    return {
        n: (v.double() * (1 - alpha) + end[n].double() * alpha).to(v.dtype)
        for n, v in start.items()
    }


@answers.accept("13.4")
def with_numpy(start, end, alpha):
    mixed = {}
    for n, v in start.items():
        a, b = v.numpy(), end[n].numpy()
        value = np.asarray(a + alpha * (b - a)).astype(a.dtype)
        mixed[n] = torch.from_numpy(value.copy()).view(v.shape)
    return mixed


@answers.accept("13.4")
def as_pairs_in_another_order(start, end, alpha):
    return dict(reversed(by_products(start, end, alpha).items()))


@answers.refuse("13.4")
def the_wrong_way_round(start, end, alpha):
    return by_products(end, start, alpha)


@answers.refuse("13.4")
def without_the_buffers(start, end, alpha):
    mixed = by_products(start, end, alpha)
    return {n: start[n].clone() if "running" in n else v for n, v in mixed.items()}


@answers.refuse("13.4")
def in_place(start, end, alpha):
    for n, v in start.items():
        if v.is_floating_point():
            v.lerp_(end[n], alpha)
    return start


@answers.refuse("13.4")
def with_counters_of_floats(start, end, alpha):
    return {n: (1 - alpha) * v + alpha * end[n] for n, v in start.items()}


@answers.refuse("13.4")
def weights_alone(start, end, alpha):
    return {n: v for n, v in by_products(start, end, alpha).items() if "num_batches" not in n}


@answers.refuse("13.4")
def between_0_and_1_alone(start, end, alpha):
    return by_products(start, end, min(max(alpha, 0.0), 1.0))


@answers.accept("13.5")
def by_a_logarithm_of_the_root(truth, restored):
    a, b = (brightness(x)[4:-4, 4:-4] for x in (truth, restored))
    return 20 * math.log10(255) - 20 * ((a - b) ** 2).mean().sqrt().log10()


@answers.accept("13.5")
def with_y_from_0_to_1(truth, restored):
    a, b = (brightness(x) / 255 for x in (truth, restored))
    return -10 * (a - b)[4:-4, 4:-4].square().mean().log10()


@answers.accept("13.5")
def without_the_offset(truth, restored):
    weights = torch.tensor([65.481, 128.553, 24.966])
    gap = torch.einsum("c,chw->hw", weights, (truth - restored) / 2)
    return 10 * torch.log10(65025 / gap[4:-4, 4:-4].pow(2).mean())


@answers.accept("13.5")
def by_narrowing(truth, restored):
    _, height, width = truth.shape
    a, b = (
        brightness(x).narrow(0, 4, height - 8).narrow(1, 4, width - 8) for x in (truth, restored)
    )
    return 10 * torch.log10(255**2 / F.mse_loss(a, b))


@answers.accept("13.5")
def as_one_number_in_a_list(truth, restored):
    return [with_y_from_0_to_1(truth, restored)]


def brightness(x):
    weights = torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    return (weights * (x + 1) / 2).sum(0) + 16


answers.refuse("13.5", broken_psnr)


@answers.refuse("13.5")
def with_the_edges(truth, restored):
    return 10 * torch.log10(255**2 / F.mse_loss(brightness(truth), brightness(restored)))


@answers.refuse("13.5")
def with_the_peak_of_video(truth, restored):
    a, b = (brightness(x)[4:-4, 4:-4] for x in (truth, restored))
    return 10 * torch.log10(219**2 / F.mse_loss(a, b))


@answers.refuse("13.5")
def of_all_colours(truth, restored):
    gap = (truth - restored)[:, 4:-4, 4:-4] / 2
    return -10 * gap.square().mean().log10()


@answers.refuse("13.5")
def with_a_border_of_5(truth, restored):
    a, b = (brightness(x)[5:-5, 5:-5] for x in (truth, restored))
    return 10 * torch.log10(255**2 / F.mse_loss(a, b))


@answers.refuse("13.5")
def without_its_gradient(truth, restored):
    return torch.tensor(psnr(truth[None].detach(), restored[None].detach()))


test_right, test_wrong, test_enough = answers.tests()

"""Right and wrong answers to the exercises of lesson 12."""

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises.lesson_12 import broken_controller

answers = Answers(12)


@answers.accept("12.1")
def with_numbers_of_python(k, loss_real, loss_fake, gamma, lambda_k):
    error = gamma * float(loss_real) - float(loss_fake)
    return min(1.0, max(0.0, float(k) + lambda_k * error))


@answers.accept("12.1")
def in_place(k, loss_real, loss_fake, gamma, lambda_k):
    with torch.no_grad():
        return k.add_(lambda_k * (gamma * loss_real - loss_fake)).clamp_(0, 1)


@answers.accept("12.1")
def with_detached_losses(k, loss_real, loss_fake, gamma, lambda_k):
    step = lambda_k * gamma * loss_real.detach() - lambda_k * loss_fake.detach()
    return torch.minimum(torch.maximum(k + step, torch.zeros(())), torch.ones(()))


@answers.accept("12.1")
def with_numpy(k, loss_real, loss_fake, gamma, lambda_k):
    values = [np.asarray(x.detach()) for x in (k, loss_real, loss_fake)]
    return np.clip(values[0] + lambda_k * (gamma * values[1] - values[2]), 0, 1)


@answers.accept("12.1")
def as_a_list_of_one(k, loss_real, loss_fake, gamma, lambda_k):
    return [with_numbers_of_python(k, loss_real, loss_fake, gamma, lambda_k)]


@answers.refuse("12.1")
def with_the_sign_exchanged(k, loss_real, loss_fake, gamma, lambda_k):
    return (k + lambda_k * (loss_fake - gamma * loss_real)).clamp(0, 1).detach()


@answers.refuse("12.1")
def not_clipped(k, loss_real, loss_fake, gamma, lambda_k):
    return (k + lambda_k * (gamma * loss_real - loss_fake)).detach()


@answers.refuse("12.1")
def attached(k, loss_real, loss_fake, gamma, lambda_k):
    return (k + lambda_k * (gamma * loss_real - loss_fake)).clamp(0, 1)


@answers.refuse("12.1")
def with_gamma_at_the_fakes(k, loss_real, loss_fake, gamma, lambda_k):
    return (k + lambda_k * (loss_real - gamma * loss_fake)).clamp(0, 1).detach()


@answers.refuse("12.1")
def clipped_from_below_alone(k, loss_real, loss_fake, gamma, lambda_k):
    return (k + lambda_k * (gamma * loss_real - loss_fake)).clamp(min=0).detach()


@answers.refuse("12.1")
def by_the_ratio(k, loss_real, loss_fake, gamma, lambda_k):
    return (k + lambda_k * (gamma - loss_fake / loss_real)).clamp(0, 1).detach()


@answers.accept("12.2")
def by_l1_loss(netD, real, fake, k):
    k, given = float(k), fake.detach()
    loss_d = F.l1_loss(netD(real), real) - k * F.l1_loss(netD(given), given)
    return loss_d, F.l1_loss(netD(fake), fake)


@answers.accept("12.2")
def as_a_list_of_norms(netD, real, fake, k):
    def decoding(v):
        return torch.linalg.vector_norm(v - netD(v), 1) / v.numel()

    weight = k.detach() if torch.is_tensor(k) else k
    return [decoding(real) - weight * decoding(fake.data), decoding(fake)]


@answers.accept("12.2")
def in_one_pass_of_d(netD, real, fake, k):
    v = torch.cat([real, fake.detach()])
    errors = (v - netD(v)).abs()
    weights = torch.cat([torch.ones(len(real)), torch.full((len(fake),), -float(k))])
    weights[: len(real)] /= len(real)
    weights[len(real) :] /= len(fake)
    return (errors.mean(1) * weights).sum(), (fake - netD(fake)).abs().mean()


@answers.accept("12.2")
def picture_by_picture(netD, real, fake, k):
    def one(v):
        return torch.stack([(x - netD(x[None])[0]).abs().mean() for x in v]).mean()

    return one(real) - float(k) * one(fake.clone().detach()), one(fake)


@answers.accept("12.2")
def with_d_frozen_for_g(netD, real, fake, k):
    loss_d = by_l1_loss(netD, real, fake, k)[0]
    weights = {name: w.detach() for name, w in netD.named_parameters()}
    return loss_d, F.l1_loss(torch.func.functional_call(netD, weights, fake), fake)


@answers.refuse("12.2")
def with_squares(netD, real, fake, k):
    given, k = fake.detach(), float(k)
    loss_d = F.mse_loss(netD(real), real) - k * F.mse_loss(netD(given), given)
    return loss_d, F.mse_loss(netD(fake), fake)


@answers.refuse("12.2")
def with_attached_fakes(netD, real, fake, k):
    loss_g = F.l1_loss(netD(fake), fake)
    return F.l1_loss(netD(real), real) - float(k) * loss_g, loss_g


@answers.refuse("12.2")
def with_k_learned(netD, real, fake, k):
    given = fake.detach()
    loss_d = F.l1_loss(netD(real), real) - k * F.l1_loss(netD(given), given)
    return loss_d, F.l1_loss(netD(fake), fake)


@answers.refuse("12.2")
def with_a_detached_target_for_g(netD, real, fake, k):
    return by_l1_loss(netD, real, fake, k)[0], F.l1_loss(netD(fake), fake.detach())


@answers.refuse("12.2")
def without_k(netD, real, fake, k):
    return by_l1_loss(netD, real, fake, 1.0)


@answers.refuse("12.2")
def in_the_other_order(netD, real, fake, k):
    return by_l1_loss(netD, real, fake, k)[::-1]


@answers.refuse("12.2")
def with_g_against_k(netD, real, fake, k):
    loss_d, loss_g = by_l1_loss(netD, real, fake, k)
    return loss_d, -loss_g


answers.accept(
    "12.3",
    {"k": 0.202, "M": 0.12, "still": 0.05, "weight": -0.2},
    {"k": "0.202", "M": "0.12", "still": "5 %", "weight": "−0.2"},
    {"k": torch.tensor(0.202), "M": [0.12], "still": np.float32(0.05), "weight": -1 / 5},
    {"weight": "-.2", "still": "L(G(z)) = 0.05", "M": 0.1200, "k": (0.202,)},
    {"k": 0.2 + 0.1 * 0.02, "M": 0.1 + abs(0.05 - 0.03), "still": 0.5 * 0.1, "weight": -0.2},
)
answers.refuse(
    "12.3",
    {"k": 0.198, "M": 0.12, "still": 0.05, "weight": -0.2},
    {"k": 0.202, "M": 0.08, "still": 0.05, "weight": -0.2},
    {"k": 0.202, "M": 0.12, "still": 0.5, "weight": -0.2},
    {"k": 0.202, "M": 0.12, "still": 0.05, "weight": 0.2},
    {"k": 0.22, "M": 0.12, "still": 0.05, "weight": -0.2},
    {"k": 0.202, "M": 0.12, "still": 0.05},
)


@answers.accept("12.4")
def with_python(k, loss_real, loss_fake, gamma, lambda_k):
    error = gamma * loss_real.item() - loss_fake.item()
    return min(max(k.item() + lambda_k * error, 0), 1), loss_real.item() + abs(error)


@answers.accept("12.4")
def with_both_branches(k, loss_real, loss_fake, gamma, lambda_k):
    wanted = gamma * loss_real
    measure = loss_real + torch.where(loss_fake < wanted, wanted - loss_fake, loss_fake - wanted)
    return torch.clip(k - lambda_k * (loss_fake - wanted), 0.0, 1.0), measure


@answers.accept("12.4")
def as_the_larger_of_two(k, loss_real, loss_fake, gamma, lambda_k):
    error = loss_real * gamma - loss_fake
    return [F.hardtanh(k + lambda_k * error, 0.0, 1.0), torch.maximum(error, -error) + loss_real]


@answers.accept("12.4")
def as_numpy_arrays(k, loss_real, loss_fake, gamma, lambda_k):
    k, real, fake = (x.numpy() for x in (k, loss_real, loss_fake))
    return np.clip(k + lambda_k * (gamma * real - fake), 0, 1), real + np.abs(gamma * real - fake)


@answers.accept("12.4")
def as_one_tensor(k, loss_real, loss_fake, gamma, lambda_k):
    error = gamma * loss_real - loss_fake
    return torch.stack([(k + lambda_k * error).clamp(0, 1), loss_real + (error**2).sqrt()])


answers.refuse("12.4", broken_controller)


@answers.refuse("12.4")
def only_clipped(k, loss_real, loss_fake, gamma, lambda_k):
    k, measure = broken_controller(k, loss_real, loss_fake, gamma, lambda_k)
    return k.clamp(0, 1), measure


@answers.refuse("12.4")
def only_the_error_mended(k, loss_real, loss_fake, gamma, lambda_k):
    error = gamma * loss_real - loss_fake
    return k + lambda_k * error, loss_real + error


@answers.refuse("12.4")
def with_m_as_it_was(k, loss_real, loss_fake, gamma, lambda_k):
    error = gamma * loss_real - loss_fake
    return (k + lambda_k * error).clamp(0, 1), loss_real + error


@answers.refuse("12.4")
def with_the_error_turned(k, loss_real, loss_fake, gamma, lambda_k):
    error = loss_fake - gamma * loss_real
    return (k + lambda_k * error).clamp(0, 1), loss_real + error.abs()


@answers.refuse("12.4")
def with_gamma_times_m(k, loss_real, loss_fake, gamma, lambda_k):
    error = gamma * loss_real - loss_fake
    return (k + lambda_k * error).clamp(0, 1), gamma * loss_real + error.abs()


@answers.accept("12.5")
def in_a_loop(measures, rate, patience):
    best, waited, halved = float("inf"), 0, False
    for measure in measures:
        if measure < best:
            best, waited, halved = measure, 0, False
        else:
            waited += 1
            halved = waited % patience == 0
    return rate * 0.5**halved


@answers.accept("12.5")
def by_argmin(measures, rate, patience):
    waited = len(measures) - 1 - int(np.argmin(measures))
    return rate * (0.5 if waited > 0 and waited % patience == 0 else 1)


@answers.accept("12.5")
def as_a_tensor(measures, rate, patience):
    waited = torch.tensor(len(measures) - 1) - torch.tensor(measures).argmin()
    return torch.where((waited > 0) & (waited % patience == 0), rate / 2, rate)


@answers.accept("12.5")
def by_recursion(measures, rate, patience):
    *before, last = measures
    if not before or last < min(before):
        return rate
    waited = len(measures) - 1 - measures.index(min(measures))
    return rate if waited % patience else rate / 2


@answers.accept("12.5")
def as_a_text(measures, rate, patience):
    return str(in_a_loop(measures, rate, patience))


@answers.refuse("12.5")
def at_every_later_epoch(measures, rate, patience):
    waited = len(measures) - 1 - measures.index(min(measures))
    return rate / 2 if waited >= patience else rate


@answers.refuse("12.5")
def when_the_last_is_larger(measures, rate, patience):
    return rate / 2 if len(measures) > 1 and measures[-1] >= measures[-2] else rate


@answers.refuse("12.5")
def every_so_many_epochs(measures, rate, patience):
    return rate / 2 if len(measures) % patience == 0 else rate


@answers.refuse("12.5")
def one_too_late(measures, rate, patience):
    waited = len(measures) - 2 - measures.index(min(measures))
    return rate / 2 if waited > 0 and waited % patience == 0 else rate


@answers.refuse("12.5")
def counting_equal_ones_as_lower(measures, rate, patience):
    waited = measures[::-1].index(min(measures))
    return rate / 2 if waited and waited % patience == 0 else rate


@answers.refuse("12.5")
def a_tenth(measures, rate, patience):
    return in_a_loop(measures, rate, patience) / 10


test_right, test_wrong, test_enough = answers.tests()

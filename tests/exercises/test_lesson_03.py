"""Right and wrong answers to the exercises of lesson 3."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises import lesson_03
from gancourse.exercises.lesson_03 import broken_step
from gancourse.gans import dcgan, lsgan

answers = Answers(3)


@answers.accept("3.1")
def by_mse_loss(real_logits, fake_logits, a, b, c):
    def half(t, target):
        return F.mse_loss(t, torch.full_like(t, target)) / 2

    return half(real_logits, b) + half(fake_logits, a), half(fake_logits, c)


@answers.accept("3.1")
def as_a_list(real_logits, fake_logits, a, b, c):
    return [lsgan.d_loss(real_logits, fake_logits, a, b), lsgan.g_loss(fake_logits, c)]


@answers.accept("3.1")
def by_dot_products(real_logits, fake_logits, a, b, c):
    real, fake, aim = real_logits - b, fake_logits - a, fake_logits - c
    return real @ real / len(real) / 2 + fake @ fake / len(fake) / 2, aim @ aim / len(aim) / 2


@answers.accept("3.1")
def multiplied_out_losses(real_logits, fake_logits, a, b, c):
    def half(t, target):
        return (t * t).mean() / 2 - target * t.mean() + target**2 / 2

    return half(real_logits, b) + half(fake_logits, a), half(fake_logits, c)


@answers.accept("3.1")
def losses_in_a_loop(real_logits, fake_logits, a, b, c):
    loss_d = sum((t - b) ** 2 for t in real_logits) / (2 * len(real_logits))
    loss_d = loss_d + sum((t - a) ** 2 for t in fake_logits) / (2 * len(fake_logits))
    return loss_d, sum((t - c) ** 2 for t in fake_logits) / (2 * len(fake_logits))


@answers.refuse("3.1")
def without_the_halves(real_logits, fake_logits, a, b, c):
    loss_d, loss_g = lesson_03.losses(real_logits, fake_logits, a, b, c)
    return 2 * loss_d, 2 * loss_g


@answers.refuse("3.1")
def targets_of_d_swapped(real_logits, fake_logits, a, b, c):
    return lesson_03.losses(real_logits, fake_logits, b, a, c)


@answers.refuse("3.1")
def only_for_0_and_1(real_logits, fake_logits, a, b, c):
    return lesson_03.losses(real_logits, fake_logits, 0.0, 1.0, 1.0)


@answers.refuse("3.1")
def g_is_compared_with_b(real_logits, fake_logits, a, b, c):
    return lesson_03.losses(real_logits, fake_logits, a, b, b)


@answers.refuse("3.1")
def with_a_sigmoid(real_logits, fake_logits, a, b, c):
    return lesson_03.losses(real_logits.sigmoid(), fake_logits.sigmoid(), a, b, c)


@answers.refuse("3.1")
def sums(real_logits, fake_logits, a, b, c):
    loss_d = (real_logits - b).square().sum() / 2 + (fake_logits - a).square().sum() / 2
    return loss_d, (fake_logits - c).square().sum() / 2


@answers.refuse("3.1")
def one_mean_over_both_batches(real_logits, fake_logits, a, b, c):
    both = torch.cat([real_logits - b, fake_logits - a])
    return both.square().mean(), (fake_logits - c).square().mean() / 2


@answers.refuse("3.1")
def values_without_gradients(real_logits, fake_logits, a, b, c):
    return lesson_03.losses(real_logits.detach(), fake_logits.detach(), a, b, c)


@answers.refuse("3.1")
def the_loss_of_d_alone(real_logits, fake_logits, a, b, c):
    return lsgan.d_loss(real_logits, fake_logits, a, b)


@answers.accept("3.3")
def with_where(fake_logits, c=1.0, limit=1.0):
    far = (fake_logits - c).abs()
    return torch.where(far < limit, far**2 / 2, limit * (far - limit / 2)).mean()


@answers.accept("3.3")
def by_clamping_the_distance(fake_logits, c=1.0, limit=1.0):
    far = (fake_logits - c).abs()
    near = far.clamp(max=limit)
    return (near * (far - near / 2)).mean()


@answers.accept("3.3")
def smooth_l1_times_the_limit(fake_logits, c=1.0, limit=1.0):
    return limit * F.smooth_l1_loss(fake_logits, torch.full_like(fake_logits, c), beta=limit)


@answers.accept("3.3")
def in_a_loop(fake_logits, c=1.0, limit=1.0):
    costs = []
    for t in fake_logits.flatten():
        e = abs(t - c)
        costs.append(e * e / 2 if e <= limit else limit * e - limit**2 / 2)
    return sum(costs) / len(costs)


@answers.accept("3.3")
def square_minus_the_excess(fake_logits, c=1.0, limit=1.0):
    e = fake_logits - c
    return (e**2 - F.relu(e.abs() - limit) ** 2).mean() / 2


@answers.refuse("3.3")
def clipped_logits(fake_logits, c=1.0, limit=1.0):
    return lsgan.g_loss(fake_logits.clamp(c - limit, c + limit), c)


@answers.refuse("3.3")
def absolute(fake_logits, c=1.0, limit=1.0):
    return limit * (fake_logits - c).abs().mean()


@answers.refuse("3.3")
def smooth_l1(fake_logits, c=1.0, limit=1.0):
    return F.smooth_l1_loss(fake_logits, torch.full_like(fake_logits, c), beta=limit)


@answers.refuse("3.3")
def limited_on_one_side(fake_logits, c=1.0, limit=1.0):
    e = fake_logits - c
    return (e**2 - F.relu(e - limit) ** 2).mean() / 2


@answers.refuse("3.3")
def right_values_without_gradients(fake_logits, c=1.0, limit=1.0):
    return lesson_03.huber_g_loss(fake_logits.detach(), c, limit)


@answers.refuse("3.3")
def sum_of_the_batch(fake_logits, c=1.0, limit=1.0):
    return len(fake_logits) * lesson_03.huber_g_loss(fake_logits, c, limit)


@answers.accept("3.4")
def multiplied_out(a, b, c, chi_square):
    return ((b - a) ** 2 * chi_square + 2 * (a + b) ** 2 - 8 * c * (a + b) + 8 * c * c) / 4


@answers.accept("3.4")
def by_mean_and_half_difference(a, b, c, chi_square):
    middle, half = (a + b) / 2 - c, (b - a) / 2
    return half * half * chi_square + middle * middle + middle * middle


@answers.accept("3.4")
def as_a_tensor(a, b, c, chi_square):
    return torch.tensor(multiplied_out(a, b, c, chi_square), dtype=torch.float64)


@answers.accept("3.4")
def as_numpys_number(a, b, c, chi_square):
    return np.array([multiplied_out(a, b, c, chi_square)])


@answers.accept("3.4")
def from_a_game_of_two_points(a, b, c, chi_square):
    # Two densities on two points, (1 + t) / 2 and (1 - t) / 2 each: the divergence is 2 t^2.
    t = math.sqrt(chi_square / 2)
    best = [((1 + t) * b + (1 - t) * a) / 2, ((1 - t) * b + (1 + t) * a) / 2]
    return sum((d - c) ** 2 for d in best)


@answers.refuse("3.4")
def without_the_constant(a, b, c, chi_square):
    return ((b - a) / 2) ** 2 * chi_square


@answers.refuse("3.4")
def only_one_of_two_densities(a, b, c, chi_square):
    return ((a + b) / 2 - c) ** 2 + ((b - a) / 2) ** 2 * chi_square


@answers.refuse("3.4")
def for_the_paper_alone(a, b, c, chi_square):
    return chi_square if (a, b, c) == (-1, 1, 0) else 0.5 + chi_square / 4


@answers.refuse("3.4")
def for_the_codings_of_the_text_alone(a, b, c, chi_square):
    known = {(-1, 1, 0): chi_square, (0, 1, 1): 0.5 + chi_square / 4}
    known |= {(0, 1, 0): 0.5 + chi_square / 4, (1, -1, 0.3): 0.18 + chi_square}
    return known.get((a, b, c), chi_square)


@answers.refuse("3.4")
def c_is_b(a, b, c, chi_square):
    return multiplied_out(a, b, b, chi_square)


@answers.refuse("3.4")
def half_of_it(a, b, c, chi_square):
    return multiplied_out(a, b, c, chi_square) / 2


answers.accept("3.2", lsgan.train_step)
answers.accept("3.5", lsgan.train_step)


def a_step(gan, batch, run, loss_d, *, loss_g=None, fresh=False):
    """Take a step with other losses."""
    real, cfg = batch["real"], gan.cfg
    fake = gan.netG(lsgan.draw_z(cfg, len(real)))
    value = loss_d(gan.netD(real), gan.netD(fake.detach()), cfg)
    gan.opt_d.zero_grad()
    value.backward()
    gan.opt_d.step()
    if fresh:
        fake = gan.netG(lsgan.draw_z(cfg, len(real)))
    loss_g = (loss_g or (lambda t, cfg: lsgan.g_loss(t, cfg.c)))(gan.netD(fake), cfg)
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    return {"D/adv": value.detach(), "G/adv": loss_g.detach()}


@answers.accept("3.2")
@answers.accept("3.5")
def squeezed(gan, batch, run):
    def loss_d(real, fake, cfg):
        targets = torch.cat([torch.full((len(real), 1), cfg.b), torch.full((len(fake), 1), cfg.a)])
        return (torch.cat([real, fake]) - targets.squeeze(1)).square().mean()

    return a_step(gan, batch, run, loss_d)


@answers.accept("3.5")
def logits_as_a_column(gan, batch, run):
    def loss_d(real, fake, cfg):
        targets = torch.cat([torch.full((len(real), 1), cfg.b), torch.full((len(fake), 1), cfg.a)])
        return F.mse_loss(torch.cat([real, fake])[:, None], targets)

    return a_step(gan, batch, run, loss_d, fresh=True)


@answers.accept("3.2")
@answers.accept("3.5")
def two_terms(gan, batch, run):
    def loss_d(real, fake, cfg):
        return ((real - cfg.b).pow(2).mean() + (fake - cfg.a).pow(2).mean()) / 2

    return a_step(gan, batch, run, loss_d)


@answers.accept("3.2")
@answers.accept("3.5")
def a_dot_product(gan, batch, run):
    def loss_d(real, fake, cfg):
        errors = torch.cat([real - cfg.b, fake - cfg.a])
        return errors @ errors / len(errors)

    return a_step(gan, batch, run, loss_d)


@answers.accept("3.2")
@answers.accept("3.5")
def g_before_d(gan, batch, run):
    real, cfg = batch["real"], gan.cfg
    fake = gan.netG(lsgan.draw_z(cfg, len(real)))
    loss_g = lsgan.g_loss(gan.netD(fake), cfg.c)
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.opt_d.zero_grad()
    loss_d = lsgan.d_loss(gan.netD(real), gan.netD(fake.detach()), cfg.a, cfg.b)
    loss_d.backward()
    gan.opt_d.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


answers.refuse("3.2", dcgan.train_step, broken_step)
answers.refuse("3.5", broken_step)


@answers.refuse("3.2")
@answers.refuse("3.5")
def targets_swapped(gan, batch, run):
    return a_step(gan, batch, run, lambda real, fake, cfg: lsgan.d_loss(real, fake, cfg.b, cfg.a))


@answers.refuse("3.2")
@answers.refuse("3.5")
def twice_the_loss(gan, batch, run):
    return a_step(
        gan, batch, run, lambda real, fake, cfg: 2 * lsgan.d_loss(real, fake, cfg.a, cfg.b)
    )


@answers.refuse("3.2")
@answers.refuse("3.5")
def g_left_out(gan, batch, run):
    step, gan.opt_g.step = gan.opt_g.step, lambda: None
    losses = lsgan.train_step(gan, batch, run)
    gan.opt_g.step = step
    return losses


@answers.refuse("3.5")
def targets_broadcast_over_rows(gan, batch, run):
    def loss_d(real, fake, cfg):
        targets = torch.tensor([[cfg.b], [cfg.a]])
        return (torch.stack([real, fake]).T.reshape(-1, 2) - targets.T.flip(1)).square().mean()

    return a_step(gan, batch, run, loss_d)


@answers.refuse("3.2")
@answers.refuse("3.5")
def g_has_the_target_of_fakes(gan, batch, run):
    def loss_d(real, fake, cfg):
        return lsgan.d_loss(real, fake, cfg.a, cfg.b)

    return a_step(gan, batch, run, loss_d, loss_g=lambda t, cfg: lsgan.g_loss(t, cfg.a))


@answers.refuse("3.2")
def the_targets_of_the_defaults(gan, batch, run):
    return a_step(gan, batch, run, lambda real, fake, cfg: lsgan.d_loss(real, fake))


@answers.refuse("3.2")
def g_keeps_the_cross_entropy(gan, batch, run):
    def loss_d(real, fake, cfg):
        return lsgan.d_loss(real, fake, cfg.a, cfg.b)

    return a_step(gan, batch, run, loss_d, loss_g=lambda t, cfg: dcgan.g_loss(t))


answers.accept("3.6", "bde", "(b), (d), (e)", ["E", "D", "B"], {"b", "d", "e"}, "b, d and e")
answers.refuse("3.6", {"a", "d", "e"}, {"b", "c", "d", "e"}, {"d", "e"}, "abcde", "f")

test_right, test_wrong, test_enough = answers.tests()

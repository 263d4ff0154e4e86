"""Right and wrong answers to the exercises of lesson 7."""

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises import lesson_07
from gancourse.exercises.lesson_07 import broken_step
from gancourse.gans import cyclegan

answers = Answers(7)


@answers.accept("7.1")
def by_l1_loss(netG_AB, netG_BA, real_A, real_B):
    forward = F.l1_loss(netG_BA(netG_AB(real_A)), real_A)
    return F.l1_loss(netG_AB(netG_BA(real_B)), real_B) + forward


@answers.accept("7.1")
def with_the_function_of_the_lesson(netG_AB, netG_BA, real_A, real_B):
    fake_B, fake_A = netG_AB(real_A), netG_BA(real_B)
    return sum(
        cyclegan.cycle_loss(real, rec)
        for real, rec in ((real_A, netG_BA(fake_B)), (real_B, netG_AB(fake_A)))
    )


@answers.accept("7.1")
def twice_the_mean_over_both(netG_AB, netG_BA, real_A, real_B):
    gaps = torch.cat([netG_BA(netG_AB(real_A)) - real_A, netG_AB(netG_BA(real_B)) - real_B])
    return 2 * gaps.abs().mean()


@answers.accept("7.1")
def picture_by_picture(netG_AB, netG_BA, real_A, real_B):
    gaps = (netG_BA(netG_AB(real_A)) - real_A).abs().mean((1, 2, 3))
    return (gaps + (netG_AB(netG_BA(real_B)) - real_B).abs().mean((1, 2, 3))).mean()


@answers.accept("7.1")
def by_numel(netG_AB, netG_BA, real_A, real_B):
    total = torch.norm(netG_BA(netG_AB(real_A)) - real_A, p=1) / real_A.numel()
    return (total + torch.norm(netG_AB(netG_BA(real_B)) - real_B, p=1) / real_B.numel()).view(1)


@answers.refuse("7.1")
def forward_alone(netG_AB, netG_BA, real_A, real_B):
    return F.l1_loss(netG_BA(netG_AB(real_A)), real_A)


@answers.refuse("7.1")
def mean_squares(netG_AB, netG_BA, real_A, real_B):
    forward = F.mse_loss(netG_BA(netG_AB(real_A)), real_A)
    return forward + F.mse_loss(netG_AB(netG_BA(real_B)), real_B)


@answers.refuse("7.1")
def sums_over_pixels(netG_AB, netG_BA, real_A, real_B):
    forward = (netG_BA(netG_AB(real_A)) - real_A).abs().sum()
    return forward + (netG_AB(netG_BA(real_B)) - real_B).abs().sum()


@answers.refuse("7.1")
def translations_detached(netG_AB, netG_BA, real_A, real_B):
    forward = F.l1_loss(netG_BA(netG_AB(real_A).detach()), real_A)
    return forward + F.l1_loss(netG_AB(netG_BA(real_B).detach()), real_B)


@answers.refuse("7.1")
def ways_exchanged(netG_AB, netG_BA, real_A, real_B):
    forward = F.l1_loss(netG_AB(netG_BA(real_A)), real_A)
    return forward + F.l1_loss(netG_BA(netG_AB(real_B)), real_B)


@answers.refuse("7.1")
def no_way_back(netG_AB, netG_BA, real_A, real_B):
    return F.l1_loss(netG_AB(real_A), real_A) + F.l1_loss(netG_BA(real_B), real_B)


@answers.refuse("7.1")
def a_number_without_gradient(netG_AB, netG_BA, real_A, real_B):
    return lesson_07.cycle_term(netG_AB, netG_BA, real_A, real_B).item()


def a_g_step(gan, batch, loss_g):
    real_A, real_B = batch["real_A"], batch["real_B"]
    fake_A, fake_B = gan.netG_BA(real_B), gan.netG_AB(real_A)
    value = loss_g(gan, real_A, real_B, fake_A, fake_B)
    gan.opt_g.zero_grad()
    value.backward()
    gan.opt_g.step()
    return {"G": value.detach()}


@answers.accept("7.2")
def the_sum_of_all(gan, batch, run):
    return a_g_step(gan, batch, right_g)


@answers.accept("7.2")
def with_frozen_discriminators(gan, batch, run):
    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(False)
    losses = a_g_step(gan, batch, right_g)
    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(True)
    return losses


@answers.accept("7.2")
def each_term_by_its_own_backward(gan, batch, run):
    real_A, real_B = batch["real_A"], batch["real_B"]
    gan.opt_g.zero_grad()
    fake_A, fake_B = gan.netG_BA(real_B), gan.netG_AB(real_A)
    adversarial(gan, fake_A, fake_B).backward(retain_graph=True)
    cycle(gan, real_A, real_B, fake_A, fake_B).backward()
    gan.opt_g.step()
    return {}


@answers.accept("7.2")
def one_domain_after_the_other(gan, batch, run):
    real_A, real_B, weight = batch["real_A"], batch["real_B"], gan.cfg.lambda_cyc
    gan.opt_g.zero_grad()
    fake = gan.netG_AB(real_A)
    loss = cyclegan.g_loss(gan.netD_B(fake)) + weight * F.l1_loss(gan.netG_BA(fake), real_A)
    loss.backward()
    fake = gan.netG_BA(real_B)
    loss = cyclegan.g_loss(gan.netD_A(fake)) + weight * F.l1_loss(gan.netG_AB(fake), real_B)
    loss.backward()
    gan.opt_g.step()
    return {"G/second": loss.detach()}


@answers.accept("7.2")
def written_out(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        adv = (gan.netD_A(fake_A) - 1).pow(2).mean() + (gan.netD_B(fake_B) - 1).pow(2).mean()
        back = (gan.netG_BA(fake_B) - real_A).abs().mean()
        return adv + 10 * back + 10 * (gan.netG_AB(fake_A) - real_B).abs().mean()

    return a_g_step(gan, batch, loss_g)


@answers.refuse("7.2")
def no_cycles(gan, batch, run):
    return a_g_step(gan, batch, lambda gan, a, b, fake_A, fake_B: adversarial(gan, fake_A, fake_B))


@answers.refuse("7.2")
def cycles_without_weight(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        back = cycle(gan, real_A, real_B, fake_A, fake_B) / gan.cfg.lambda_cyc
        return adversarial(gan, fake_A, fake_B) + back

    return a_g_step(gan, batch, loss_g)


@answers.refuse("7.2")
def discriminators_exchanged(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        return adversarial(gan, fake_B, fake_A) + cycle(gan, real_A, real_B, fake_A, fake_B)

    return a_g_step(gan, batch, loss_g)


@answers.refuse("7.2")
def g_wants_to_be_judged_fake(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        adv = gan.netD_A(fake_A).square().mean() + gan.netD_B(fake_B).square().mean()
        return adv + cycle(gan, real_A, real_B, fake_A, fake_B)

    return a_g_step(gan, batch, loss_g)


@answers.refuse("7.2")
def gradients_never_zeroed(gan, batch, run):
    real_A, real_B = batch["real_A"], batch["real_B"]
    fake_A, fake_B = gan.netG_BA(real_B), gan.netG_AB(real_A)
    right_g(gan, real_A, real_B, fake_A, fake_B).backward()
    gan.opt_g.step()
    return {}


@answers.refuse("7.2")
def the_discriminators_move_too(gan, batch, run):
    return a_step(gan, batch, run, right_d, right_g)


@answers.refuse("7.2")
def the_forward_cycle_alone(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        back = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
        return adversarial(gan, fake_A, fake_B) + gan.cfg.lambda_cyc * back

    return a_g_step(gan, batch, loss_g)


def values(l1_value, l1_loss, l2_value, l2_loss):
    return {"l1_value": l1_value, "l1_loss": l1_loss, "l2_value": l2_value, "l2_loss": l2_loss}


answers.accept(
    "7.3",
    values(-0.6, 0.4, -0.2, 0.32),
    values("-0.6", "0.4", "-0.20", "0.32"),
    values(-3 / 5, 1.2 / 3, -0.6 / 3, 0.96 / 3),
    values(np.median([-0.6, -0.6, 0.6]), 0.4, np.mean([-0.6, -0.6, 0.6]), np.float32(0.32)),
    values(torch.tensor([-0.6]), torch.tensor(0.4), [-0.2], (0.32,)),
)
answers.refuse(
    "7.3",
    values(-0.2, 0.53, -0.2, 0.32),
    values(-0.6, 0.0, -0.6, 0.0),
    values(-0.6, 1.2, -0.2, 0.96),
    values(0.6, 0.4, 0.2, 0.32),
    values(-0.6, 0.4, -0.2, 0.57),
)


@answers.accept("7.4")
def of_the_chosen_rows(fake_B, real_B, known):
    return (fake_B[known] - real_B[known]).abs().mean() if known.any() else 0.0


@answers.accept("7.4")
def a_constant_tensor(fake_B, real_B, known):
    return F.l1_loss(fake_B[known], real_B[known]) if known.any() else torch.tensor(0.0)


@answers.accept("7.4")
def one_row_at_a_time(fake_B, real_B, known):
    gaps = [F.l1_loss(a, b) for a, b, k in zip(fake_B, real_B, known, strict=True) if k]
    return sum(gaps) / max(1, len(gaps))


@answers.accept("7.4")
def a_masked_sum(fake_B, real_B, known):
    mask = known.view(-1, 1, 1, 1).float()
    size = fake_B[0].numel() * max(1, int(known.sum()))
    return ((fake_B - real_B).abs() * mask).sum() / size


@answers.accept("7.4")
def with_where(fake_B, real_B, known):
    real_B = torch.where(known[:, None, None, None], real_B, fake_B)
    return F.l1_loss(fake_B, real_B) * len(known) / known.sum().clamp(min=1)


@answers.refuse("7.4")
def mean_over_all_rows(fake_B, real_B, known):
    return ((fake_B - real_B).abs().mean((1, 2, 3)) * known).mean()


@answers.refuse("7.4")
def nan_without_pairs(fake_B, real_B, known):
    return (fake_B[known] - real_B[known]).abs().mean()


@answers.refuse("7.4")
def nan_gradient_without_pairs(fake_B, real_B, known):
    gaps = (fake_B - real_B).abs().mean((1, 2, 3))
    return ((gaps * known).sum() / known.sum()).nan_to_num()


@answers.refuse("7.4")
def pairs_or_not(fake_B, real_B, known):
    return (fake_B - real_B).abs().mean()


@answers.refuse("7.4")
def squared(fake_B, real_B, known):
    return ((fake_B - real_B).square().mean((1, 2, 3)) * known).sum() / known.sum().clamp(min=1)


@answers.refuse("7.4")
def without_a_gradient(fake_B, real_B, known):
    return lesson_07.pair_loss(fake_B.detach(), real_B, known)


@answers.refuse("7.4")
def the_rows_that_are_no_pairs(fake_B, real_B, known):
    return lesson_07.pair_loss(fake_B, real_B, ~known)


answers.accept("7.5", cyclegan.train_step)


def a_step(gan, batch, run, loss_d, loss_g, together=False):
    """Take a step with losses of (gan, real_A, real_B, fake_A, fake_B)."""
    real = batch["real_A"], batch["real_B"]
    fake = gan.netG_BA(real[1]), gan.netG_AB(real[0])
    value_d = loss_d(gan, *real, *(x.detach() for x in fake))
    gan.opt_d.zero_grad()
    value_d.backward()
    gan.opt_d.step()
    value_g = loss_g(gan, *real, *fake)
    gan.opt_g.zero_grad()
    value_g.backward()
    gan.opt_g.step()
    return {"D/adv": value_d.detach(), "G/adv": value_g.detach()}


def right_d(gan, real_A, real_B, fake_A, fake_B):
    loss = cyclegan.d_loss(gan.netD_A(real_A), gan.netD_A(fake_A))
    return loss + cyclegan.d_loss(gan.netD_B(real_B), gan.netD_B(fake_B))


def adversarial(gan, fake_A, fake_B):
    return cyclegan.g_loss(gan.netD_A(fake_A)) + cyclegan.g_loss(gan.netD_B(fake_B))


def cycle(gan, real_A, real_B, fake_A, fake_B):
    back = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
    return gan.cfg.lambda_cyc * (back + cyclegan.cycle_loss(real_B, gan.netG_AB(fake_A)))


def right_g(gan, real_A, real_B, fake_A, fake_B):
    return adversarial(gan, fake_A, fake_B) + cycle(gan, real_A, real_B, fake_A, fake_B)


@answers.accept("7.5")
def without_freezing(gan, batch, run):
    return a_step(gan, batch, run, right_d, right_g)


@answers.accept("7.5")
def one_pass_over_both(gan, batch, run):
    def loss_d(gan, real_A, real_B, fake_A, fake_B):
        loss = cyclegan.d_loss(*gan.netD_A(torch.cat([real_A, fake_A])).chunk(2))
        return loss + cyclegan.d_loss(*gan.netD_B(torch.cat([real_B, fake_B])).chunk(2))

    return a_step(gan, batch, run, loss_d, right_g)


@answers.accept("7.5")
def one_backward_for_each_term(gan, batch, run):
    real_A, real_B = batch["real_A"], batch["real_B"]
    fake_A, fake_B = gan.netG_BA(real_B), gan.netG_AB(real_A)
    gan.opt_d.zero_grad()
    for netD, real, fake in ((gan.netD_A, real_A, fake_A), (gan.netD_B, real_B, fake_B)):
        loss_d = cyclegan.d_loss(netD(real), netD(fake.detach()))
        loss_d.backward()
    gan.opt_d.step()
    gan.opt_g.zero_grad()
    adv = adversarial(gan, fake_A, fake_B)
    adv.backward(retain_graph=True)
    cycle(gan, real_A, real_B, fake_A, fake_B).backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach()}


@answers.accept("7.5")
def generators_first(gan, batch, run):
    real_A, real_B = batch["real_A"], batch["real_B"]
    fake_A, fake_B = gan.netG_BA(real_B), gan.netG_AB(real_A)
    gan.opt_g.zero_grad()
    loss_g = right_g(gan, real_A, real_B, fake_A, fake_B)
    loss_g.backward()
    gan.opt_g.step()
    gan.opt_d.zero_grad()
    loss_d = right_d(gan, real_A, real_B, fake_A.detach(), fake_B.detach())
    loss_d.backward()
    gan.opt_d.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


answers.refuse("7.5", broken_step)


@answers.refuse("7.5")
def mended_for_d_alone(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        crossed = adversarial(gan, fake_B, fake_A)
        return crossed + cycle(gan, real_A, real_B, fake_A, fake_B)

    return a_step(gan, batch, run, right_d, loss_g)


@answers.refuse("7.5")
def mended_for_g_alone(gan, batch, run):
    def loss_d(gan, real_A, real_B, fake_A, fake_B):
        return right_d(gan, real_A, real_B, fake_B, fake_A)

    return a_step(gan, batch, run, loss_d, right_g)


@answers.refuse("7.5")
def without_a_way_back(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        return adversarial(gan, fake_A, fake_B)

    return a_step(gan, batch, run, right_d, loss_g)


@answers.refuse("7.5")
def the_adversarial_term_never_reaches_g(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        unheard = adversarial(gan, fake_A.detach(), fake_B.detach())
        return unheard + cycle(gan, real_A, real_B, fake_A, fake_B)

    return a_step(gan, batch, run, right_d, loss_g)


@answers.refuse("7.5")
def one_cycle_alone(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        back = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
        return adversarial(gan, fake_A, fake_B) + gan.cfg.lambda_cyc * back

    return a_step(gan, batch, run, right_d, loss_g)


@answers.refuse("7.5")
def cycles_of_detached_fakes(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        back = cycle(gan, real_A, real_B, fake_A.detach(), fake_B.detach())
        return adversarial(gan, fake_A, fake_B) + back

    return a_step(gan, batch, run, right_d, loss_g)


answers.accept("7.6", "ace", "(a), (c), (e)", ["E", "C", "A"], {"a", "c", "e"}, "a, c and e")
answers.refuse("7.6", {*"abce"}, {"a", "c"}, {*"acde"}, {*"acef"}, "abcdef")

test_right, test_wrong, test_enough = answers.tests()

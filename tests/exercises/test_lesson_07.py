"""Right and wrong answers to the exercises of lesson 7."""

import io

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers
from PIL import Image

from gancourse.exercises import lesson_07
from gancourse.exercises.lesson_07 import broken_step
from gancourse.gans import cyclegan

answers = Answers(7)


def values(l1_value, l1_loss, l2_value, l2_loss):
    return {"l1_value": l1_value, "l1_loss": l1_loss, "l2_value": l2_value, "l2_loss": l2_loss}


answers.accept(
    "7.1",
    values(-0.6, 0.4, -0.2, 0.32),
    values("-0.6", "0.4", "-0.20", "0.32"),
    values(-3 / 5, 1.2 / 3, -0.6 / 3, 0.96 / 3),
    values(np.median([-0.6, -0.6, 0.6]), 0.4, np.mean([-0.6, -0.6, 0.6]), np.float32(0.32)),
    values(torch.tensor([-0.6]), torch.tensor(0.4), [-0.2], (0.32,)),
)
answers.refuse(
    "7.1",
    values(-0.2, 0.53, -0.2, 0.32),
    values(-0.6, 0.0, -0.6, 0.0),
    values(-0.6, 1.2, -0.2, 0.96),
    values(0.6, 0.4, 0.2, 0.32),
    values(-0.6, 0.4, -0.2, 0.57),
)


@answers.accept("7.2")
def by_bytes(images):
    levels = images.clamp(-1, 1).add(1).mul(127.5).add(0.5).to(torch.uint8)
    return levels.float() / 127.5 - 1


@answers.accept("7.2")
def from_zero_to_one(images):
    return ((images.clamp(-1, 1) / 2 + 0.5) * 255).round() / 255 * 2 - 1


@answers.accept("7.2")
def in_numpy(images):
    levels = np.clip(np.rint((images.numpy() + 1) * 127.5), 0, 255)
    return torch.from_numpy(levels / 127.5 - 1)


@answers.accept("7.2")
def as_an_array(images):
    return np.rint((np.clip(np.array(images), -1, 1) + 1) * 127.5) / 127.5 - 1


@answers.accept("7.2")
def through_a_file(images):
    rows = images.reshape(1, -1).clamp(-1, 1)
    levels = ((rows + 1) * 127.5).round().to(torch.uint8)
    file = io.BytesIO()
    Image.fromarray(levels.numpy()).save(file, "PNG")
    read = torch.from_numpy(np.array(Image.open(file, formats=["PNG"])))
    return (read.float() / 127.5 - 1).view(images.shape)


@answers.refuse("7.2")
def cut_off(images):
    return ((images.clamp(-1, 1) + 1) * 127.5).floor() / 127.5 - 1


@answers.refuse("7.2")
def too_coarse(images):
    return (images.clamp(-1, 1) * 127).round() / 127


@answers.refuse("7.2")
def never_clamped(images):
    return ((images + 1) * 127.5).round() / 127.5 - 1


@answers.refuse("7.2")
def in_place(images):
    return images.clamp_(-1, 1).add_(1).mul_(127.5).round_().div_(127.5).sub_(1)


@answers.refuse("7.2")
def left_as_bytes(images):
    return ((images.clamp(-1, 1) + 1) * 127.5).round()


@answers.refuse("7.2")
def of_256_steps(images):
    return ((images.clamp(-1, 1) + 1) * 128).round() / 128 - 1


@answers.accept("7.3")
def of_the_chosen_rows(fake_B, real_B, known):
    return (fake_B[known] - real_B[known]).abs().mean() if known.any() else 0.0


@answers.accept("7.3")
def a_constant_tensor(fake_B, real_B, known):
    return F.l1_loss(fake_B[known], real_B[known]) if known.any() else torch.tensor(0.0)


@answers.accept("7.3")
def one_row_at_a_time(fake_B, real_B, known):
    gaps = [F.l1_loss(a, b) for a, b, k in zip(fake_B, real_B, known, strict=True) if k]
    return sum(gaps) / max(1, len(gaps))


@answers.accept("7.3")
def a_masked_sum(fake_B, real_B, known):
    mask = known.view(-1, 1, 1, 1).float()
    size = fake_B[0].numel() * max(1, int(known.sum()))
    return ((fake_B - real_B).abs() * mask).sum() / size


@answers.accept("7.3")
def with_where(fake_B, real_B, known):
    real_B = torch.where(known[:, None, None, None], real_B, fake_B)
    return F.l1_loss(fake_B, real_B) * len(known) / known.sum().clamp(min=1)


@answers.refuse("7.3")
def mean_over_all_rows(fake_B, real_B, known):
    return ((fake_B - real_B).abs().mean((1, 2, 3)) * known).mean()


@answers.refuse("7.3")
def nan_without_pairs(fake_B, real_B, known):
    return (fake_B[known] - real_B[known]).abs().mean()


@answers.refuse("7.3")
def nan_gradient_without_pairs(fake_B, real_B, known):
    gaps = (fake_B - real_B).abs().mean((1, 2, 3))
    return ((gaps * known).sum() / known.sum()).nan_to_num()


@answers.refuse("7.3")
def pairs_or_not(fake_B, real_B, known):
    return (fake_B - real_B).abs().mean()


@answers.refuse("7.3")
def squared(fake_B, real_B, known):
    return ((fake_B - real_B).square().mean((1, 2, 3)) * known).sum() / known.sum().clamp(min=1)


@answers.refuse("7.3")
def without_a_gradient(fake_B, real_B, known):
    return lesson_07.pair_loss(fake_B.detach(), real_B, known)


@answers.refuse("7.3")
def the_rows_that_are_no_pairs(fake_B, real_B, known):
    return lesson_07.pair_loss(fake_B, real_B, ~known)


answers.accept("7.4", cyclegan.train_step)


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


@answers.accept("7.4")
def without_freezing(gan, batch, run):
    return a_step(gan, batch, run, right_d, right_g)


@answers.accept("7.4")
def one_pass_over_both(gan, batch, run):
    def loss_d(gan, real_A, real_B, fake_A, fake_B):
        loss = cyclegan.d_loss(*gan.netD_A(torch.cat([real_A, fake_A])).chunk(2))
        return loss + cyclegan.d_loss(*gan.netD_B(torch.cat([real_B, fake_B])).chunk(2))

    return a_step(gan, batch, run, loss_d, right_g)


@answers.accept("7.4")
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


@answers.accept("7.4")
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


answers.refuse("7.4", broken_step)


@answers.refuse("7.4")
def mended_for_d_alone(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        crossed = adversarial(gan, fake_B, fake_A)
        return crossed + cycle(gan, real_A, real_B, fake_A, fake_B)

    return a_step(gan, batch, run, right_d, loss_g)


@answers.refuse("7.4")
def mended_for_g_alone(gan, batch, run):
    def loss_d(gan, real_A, real_B, fake_A, fake_B):
        return right_d(gan, real_A, real_B, fake_B, fake_A)

    return a_step(gan, batch, run, loss_d, right_g)


@answers.refuse("7.4")
def without_a_way_back(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        return adversarial(gan, fake_A, fake_B)

    return a_step(gan, batch, run, right_d, loss_g)


@answers.refuse("7.4")
def the_adversarial_term_never_reaches_g(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        unheard = adversarial(gan, fake_A.detach(), fake_B.detach())
        return unheard + cycle(gan, real_A, real_B, fake_A, fake_B)

    return a_step(gan, batch, run, right_d, loss_g)


@answers.refuse("7.4")
def one_cycle_alone(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        back = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
        return adversarial(gan, fake_A, fake_B) + gan.cfg.lambda_cyc * back

    return a_step(gan, batch, run, right_d, loss_g)


@answers.refuse("7.4")
def cycles_of_detached_fakes(gan, batch, run):
    def loss_g(gan, real_A, real_B, fake_A, fake_B):
        back = cycle(gan, real_A, real_B, fake_A.detach(), fake_B.detach())
        return adversarial(gan, fake_A, fake_B) + back

    return a_step(gan, batch, run, right_d, loss_g)


answers.accept("7.5", "ace", "(a), (c), (e)", ["E", "C", "A"], {"a", "c", "e"}, "a, c and e")
answers.refuse("7.5", {*"abce"}, {"a", "c"}, {*"acde"}, {*"acef"}, "abcdef")

test_right, test_wrong, test_enough = answers.tests()

"""Schedules and averages count the steps of their own optimizer."""

import pytest
import torch
from torch import nn

from gancourse.data.mixtures import ring
from gancourse.gans import vanilla
from gancourse.training import EMA, GAN, Anneal, following, in_stages, linear_decay, runtime, train


def optimizer(lr=1.0, kind=torch.optim.SGD):
    return kind([nn.Parameter(torch.zeros(1))], lr=lr)


def rate(opt):
    return opt.param_groups[0]["lr"]


def test_a_linear_decay_holds_then_falls_to_zero_with_its_optimizers_steps():
    opt = optimizer()
    linear_decay(opt, steps=8, constant=0.5)
    seen = []
    for _ in range(10):
        seen.append(rate(opt))
        opt.step()
    assert seen == pytest.approx([1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0])


def test_another_optimizers_steps_do_not_count():
    mine, other = optimizer(), optimizer()
    schedule = linear_decay(mine, steps=4, constant=0.0)
    for _ in range(3):
        other.step()
    assert (rate(mine), schedule.last_epoch) == (1.0, 0)
    mine.step()
    assert (rate(mine), schedule.last_epoch) == (0.75, 1)


def test_a_schedule_goes_on_where_its_state_was_saved():
    whole, first, second = optimizer(), optimizer(), optimizer()
    schedules = [linear_decay(opt, steps=6, constant=0.0) for opt in (whole, first, second)]
    for _ in range(5):
        whole.step()
    for _ in range(2):
        first.step()
    second.load_state_dict(first.state_dict())
    schedules[2].load_state_dict(schedules[1].state_dict())
    for _ in range(3):
        second.step()
    assert rate(second) == rate(whole)


def test_the_first_papers_schedule_divides_the_rate_and_raises_the_momentum():
    opt = optimizer(lr=0.1)
    options = {"decay": 2.0, "least": 0.02, "momentum": (0.5, 0.7), "momentum_steps": 4}
    following(Anneal(opt, **options))
    seen = []
    for _ in range(5):
        seen.append((rate(opt), opt.param_groups[0]["momentum"]))
        opt.step()
    rates, momenta = zip(*seen, strict=True)
    assert rates == pytest.approx((0.1, 0.05, 0.025, 0.02, 0.02))
    assert momenta == pytest.approx((0.5, 0.55, 0.6, 0.65, 0.7))


def test_without_momentum_only_the_rate_is_annealed():
    opt = optimizer(lr=0.1, kind=torch.optim.Adam)
    following(Anneal(opt, decay=2.0, least=0.02))
    seen = []
    for _ in range(4):
        seen.append(rate(opt))
        opt.step()
    assert seen == pytest.approx([0.1, 0.05, 0.025, 0.02])
    assert "momentum" not in opt.param_groups[0]


def test_an_average_follows_the_optimizer_of_its_network():
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(1.0)
    opt = torch.optim.SGD(net.parameters(), lr=1.0)
    ema = EMA(net, 0.5, opt)
    net.weight.grad = torch.full_like(net.weight, -2.0)
    opt.step()  # the weight becomes 3, the average (1 + 3) / 2
    assert (net.weight.item(), ema.net.weight.item()) == (3.0, 2.0)
    other = optimizer()
    other.step()
    assert ema.net.weight.item() == 2.0


def test_a_gan_samples_from_the_average_of_each_published_network():
    one, two = nn.Linear(1, 1), nn.Linear(1, 1)
    networks = {"netG": one, "netE": two, "netD": nn.Linear(1, 1)}
    gan = GAN(None, ("netG", "netE"), any_name=EMA(two, 0, optimizer()), **networks)
    assert gan.generators() == {"netG": one, "netE": gan.any_name.net}


def test_frozen_networks_are_no_part_of_a_checkpoint():
    gan = GAN(None, ("netG",), {"judge": nn.Linear(1, 1)}, netG=nn.Linear(1, 1))
    assert list(gan.parts()) == ["netG"]


def test_stages_follow_each_other_by_the_step_alone():
    gan = GAN(None, ())
    step = in_stages(*((lambda g, b, r, name=name: name, n) for name, n in (("a", 2), ("b", 3))))
    calls = []
    for gan.step in (0, 1, 2, 4, 5, 9, 1):
        calls.append(step(gan, None, None))
    assert calls == ["a", "a", "b", "b", "b", "b", "a"]


def test_the_loop_runs_all_stages():
    gan, run = vanilla.build(vanilla.PLANE["smoke"], start := runtime.start("cpu", 0)), start
    step = in_stages((vanilla.train_step, 2), (vanilla.train_step, 3))
    assert step.steps == 5
    train(gan, step, ring(), run, quiet=True)
    assert gan.step == 5


def test_a_single_stage_is_its_step_function():
    assert in_stages((print, 5)) is print

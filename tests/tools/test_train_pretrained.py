"""What is published: an averaged generator with statistics of its own."""

from dataclasses import replace

import torch

from gancourse.gans import acgan, dcgan
from gancourse.gans.blocks import draw_rows
from gancourse.training import runtime
from tools import train_pretrained


def test_batch_norm_of_the_average_gets_the_statistics_of_its_own_layers():
    cfg = replace(dcgan.PRESETS["smoke"], ema_decay=0.9)
    gan = dcgan.build(cfg, runtime.start("cpu", 0))
    net = gan.ema.net
    net.project.weight.data.mul_(3)  # it differs from the trained generator
    train_pretrained.settle(gan, dcgan, batches=2)
    z = torch.cat([draw_rows(dcgan.draw_z, cfg, 250, seed) for seed in range(2)])
    with torch.no_grad():
        seen = net.project(z)
    torch.testing.assert_close(net.project_norm.running_mean, seen.mean(0), rtol=1e-4, atol=1e-5)
    assert not net.training and net.project_norm.momentum == 0.1


def test_a_generator_that_takes_more_than_noise_stays_as_it_is():
    cfg = replace(acgan.PRESETS["smoke"], ema_decay=0.9)
    gan = acgan.build(cfg, runtime.start("cpu", 0))
    before = {name: value.clone() for name, value in gan.ema.state_dict().items()}
    train_pretrained.settle(gan, acgan)
    assert all(torch.equal(before[name], value) for name, value in gan.ema.state_dict().items())

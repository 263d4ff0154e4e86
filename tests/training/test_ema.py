"""The average of the weights."""

import pytest
import torch
from torch import nn

from gancourse.training.ema import EMA


def sgd(net):
    return torch.optim.SGD(net.parameters(), lr=0.1)


def test_the_average_follows_the_formula():
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(1.0)
    ema = EMA(net, 0.9, sgd(net))
    for weight in (2.0, 3.0):
        net.weight.data.fill_(weight)
        ema.update()
    expected = 0.9 * (0.9 * 1.0 + 0.1 * 2.0) + 0.1 * 3.0
    assert ema.net.weight.item() == pytest.approx(expected, rel=1e-6)


def test_buffers_are_those_of_the_trained_network():
    net = nn.BatchNorm1d(2)
    ema = EMA(net, 0.9, sgd(net))
    net(torch.randn(8, 2))
    ema.update()
    assert torch.equal(ema.net.running_mean, net.running_mean)
    assert ema.net.num_batches_tracked == 1


def test_the_followed_network_is_not_saved_twice():
    ema = EMA(net := nn.Linear(2, 3), 0.5, sgd(net))
    assert list(ema.state_dict()) == ["net.weight", "net.bias"]
    assert not any(p.requires_grad for p in ema.parameters())


@pytest.mark.parametrize("decay", [1.0, -0.1])
def test_a_decay_without_meaning_is_refused(decay):
    with pytest.raises(ValueError, match="ema_decay"):
        EMA(net := nn.Linear(1, 1), decay, sgd(net))

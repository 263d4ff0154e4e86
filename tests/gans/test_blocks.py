"""What the papers of several GANs cite: the initialisation, drawing samples, the image pool."""

import pytest
import torch
from torch import nn

from gancourse.files import statefile
from gancourse.gans.blocks import ImagePool, draw_rows, init_normal, sampling
from gancourse.training import EMA, GAN


def test_weights_and_gains_are_drawn_and_biases_are_zero():
    net = nn.Sequential(nn.Conv2d(8, 64, 3), nn.BatchNorm2d(64), nn.Flatten(), nn.Linear(64, 64))
    torch.manual_seed(0)
    init_normal(net, 0.02, gain_std=0.1)
    conv, norm, _, linear = net
    for layer in (conv, linear):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert not layer.bias.any()
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.05)
    assert norm.weight.std().item() == pytest.approx(0.1, rel=0.3)
    assert not norm.bias.any()


def test_gains_stay_as_they_are_if_nothing_is_said():
    norm = nn.BatchNorm2d(4)
    init_normal(norm, 0.02)
    assert norm.weight.eq(1).all()


def test_sampling_gives_the_average_in_evaluation_mode_and_puts_the_mode_back():
    net = nn.Sequential(nn.Linear(1, 1), nn.Dropout())
    gan = GAN(None, ("netG",), netG=net)
    with sampling(gan) as found:
        assert found is net and not net.training
    assert net.training
    gan.average = EMA(net, 0.5, torch.optim.SGD(net.parameters(), lr=0.1))
    with pytest.raises(ZeroDivisionError), sampling(gan) as found:
        assert found is gan.average.net
        raise ZeroDivisionError
    assert not gan.average.net.training  # as it was


# The pool


def numbered(start, n):
    """Pictures that say which one they are."""
    return torch.arange(start, start + n).float().view(-1, 1, 1, 1).expand(n, 1, 2, 2)


def names(images):
    assert (images.flatten(1) == images[:, 0, 0, :1]).all()  # whole pictures, not mixtures
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("size", [1, 4, 7])
def test_until_it_is_full_the_pool_returns_what_comes_in(size):
    pool = ImagePool(10)
    seen = 0
    while seen + size <= 10:
        assert names(pool(numbered(seen, size))) == names(numbered(seen, size))
        seen += size
    assert names(pool.state_dict()["images"]) == names(numbered(0, seen))


def test_a_full_pool_returns_old_pictures_half_of_the_time():
    torch.manual_seed(0)
    pool, old, ages = ImagePool(50), 0, []
    steps, size = 1500, 4
    for step in range(steps):
        given = names(numbered(step * size, size))
        for new, got in zip(given, names(pool(numbered(step * size, size))), strict=True):
            old += got != new
            ages.append(new - got)
            assert got <= new
        assert pool.count <= 50
    drawn = steps * size - 50
    # 5 standard deviations of a fair coin around the half.
    assert abs(old / drawn - 0.5) < 5 * 0.5 / drawn**0.5
    # An old picture waits for 50 places * 2 pictures a swap, on average.
    waits = torch.tensor([age for age in ages if age > 0])
    assert 90 < waits.mean() < 110


def test_no_picture_is_lost_or_doubled():
    """What went in either came out or is still held: a swap, never a copy."""
    torch.manual_seed(1)
    pool = ImagePool(5)
    first = [name for step in range(100) for name in names(pool(numbered(step * 3, 3)))]
    held = names(pool.state_dict()["images"])
    assert len(held) == 5
    # The five that filled it were returned at once as well.
    assert sorted(first + held) == sorted([*range(300), *range(5)])


def test_a_batch_may_straddle_the_moment_when_the_pool_is_full():
    torch.manual_seed(2)
    pool = ImagePool(5)
    pool(numbered(0, 3))
    got = names(pool(numbered(3, 4)))
    assert got[:2] == [3.0, 4.0] and pool.count == 5
    assert set(got[2:]) <= set(range(7))


def test_the_pool_keeps_copies():
    pool, images = ImagePool(4), torch.zeros(2, 1, 2, 2)
    pool(images)
    images += 1
    assert pool.state_dict()["images"].sum() == 0


def test_without_a_pool_d_sees_the_new_pictures():
    pool, images = ImagePool(0), numbered(0, 3)
    assert pool(images) is images and pool.state_dict() == {"images": None}


@pytest.mark.parametrize("held", [0, 2, 4, 9])
def test_a_pool_goes_on_from_its_state(held, tmp_path):
    """Through a file, since that is where it will be."""
    torch.manual_seed(3)
    pool, other = ImagePool(4), ImagePool(4)
    for i in range(held):
        pool(numbered(i, 1))
    random = torch.get_rng_state()
    statefile.save(tmp_path / "pool", pool.state_dict())
    other.load_state_dict(statefile.load(tmp_path / "pool")[0])
    assert torch.equal(random, torch.get_rng_state())
    assert other.count == pool.count == min(held, 4)
    for step in range(20):
        torch.manual_seed(step)
        first = pool(numbered(held + 2 * step, 2))
        torch.manual_seed(step)
        assert torch.equal(first, other(numbered(held + 2 * step, 2)))


@pytest.mark.parametrize("draw", [torch.rand, torch.randn])
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_the_first_rows_of_noise_do_not_depend_on_how_many_follow(draw, size):
    def draw_z(cfg, n, generator):
        return draw(n, cfg, generator=generator)

    many = draw_rows(draw_z, size, 1_000, 3)
    for n in (1, 2, 15, 16, 17, 33, 1_000):
        assert torch.equal(draw_rows(draw_z, size, n, 3), many[:n])
    assert not torch.equal(draw_rows(draw_z, size, 1_000, 4), many)

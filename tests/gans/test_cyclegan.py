"""CycleGAN: its losses in closed form, the pool, the schedule, the networks of the paper."""

from dataclasses import replace

import pytest
import torch
from contract import stopping
from torch import nn

from gancourse.data.pairs import UnpairedImages
from gancourse.data.source import ImageData
from gancourse.errors import CourseError
from gancourse.files import statefile
from gancourse.gans import cyclegan
from gancourse.training import runtime
from gancourse.training.loop import train

TINY = replace(
    cyclegan.PRESETS["smoke"],
    image_size=16,
    g_downs=2,
    g_skip=False,
    ndf=2,
    d_layers=1,
    pool_size=3,
    batch_size=2,
    steps=8,
)
WEIGHT = 10.0  # lambda_cyc
# The paper's ablation (tables 4 and 5): each row is a set of Config values, no other code.
ABLATION = {
    "cycle alone": {"lambda_adv": 0.0},
    "GAN alone": {"lambda_cyc": 0.0},
    "GAN + forward": {"cycles": ("forward",)},
    "GAN + backward": {"cycles": ("backward",)},
    "CycleGAN": {},
    "with L2": {"cycle_norm": "l2"},
    "with identity": {"lambda_idt": 0.5},
}


def count(net):
    return sum(p.numel() for p in net.parameters())


def tiny_gan(**changes):
    run = runtime.start("cpu", 0)
    return cyclegan.build(replace(TINY, **changes), run), run


def tiny_data():
    pixels = torch.randint(256, (14, 3, 16, 16), generator=torch.Generator().manual_seed(1))
    a, b = pixels.byte().split((6, 8))
    return UnpairedImages(ImageData(a, None, "A"), ImageData(b // 2, None, "B"), "two sets")


def tiny_batch(n=2):
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(2, n, 3, 16, 16, generator=generator) * 2 - 1
    return {"real_A": images[0], "real_B": images[1]}


# Losses


def test_d_halves_its_least_squares_and_g_does_not():
    real, fake = torch.tensor([[[0.5, 2.0]]]), torch.tensor([[[-1.0, 0.25]]])
    by_hand = ((0.5**2 + 1.0**2) / 2 + (1.0**2 + 0.25**2) / 2) / 2
    assert cyclegan.d_loss(real, fake).item() == pytest.approx(by_hand)
    assert cyclegan.g_loss(fake).item() == pytest.approx((2.0**2 + 0.75**2) / 2)


def test_a_d_that_cannot_tell_says_one_half_and_loses_a_quarter():
    half = torch.full((4, 3, 3), 0.5, requires_grad=True)
    loss = cyclegan.d_loss(half, half)
    assert loss.item() == pytest.approx(1 / 4)
    (slope,) = torch.autograd.grad(loss, half)
    assert slope.abs().max() < 1e-8  # the minimum over what is said of both


@pytest.mark.parametrize(("norm", "expected"), [("l1", 0.3), ("l2", 0.1)])
def test_the_cycle_loss_is_the_mean_difference_to_the_way_back(norm, expected):
    """Half of the numbers are off by 0.2, half by 0.4: |.| has mean 0.3 and (.)^2 has mean 0.1."""
    real = torch.zeros(2, 3, 4, 4)
    back = torch.full_like(real, 0.2)
    back[:, :, 2:] = -0.4
    assert cyclegan.cycle_loss(real, back, norm).item() == pytest.approx(expected)
    assert cyclegan.cycle_loss(back, back, norm).item() == 0


def test_l1_settles_on_the_median_and_l2_on_the_mean():
    """Several pictures that look the same after translation have to share one way back."""
    real = torch.tensor([-1.0, -1.0, 1.0]).view(3, 1, 1, 1)
    answers = torch.linspace(-1, 1, 41)
    best = {
        norm: answers[
            torch.stack(
                [cyclegan.cycle_loss(real, t.expand_as(real), norm) for t in answers]
            ).argmin()
        ].item()
        for norm in ("l1", "l2")
    }
    assert best["l1"] == pytest.approx(-1) and best["l2"] == pytest.approx(-1 / 3, abs=0.03)


def test_the_identity_loss_is_the_mean_absolute_change():
    real = torch.rand(2, 3, 4, 4)
    assert cyclegan.identity_loss(real, real - 0.25).item() == pytest.approx(0.25)


def test_an_unknown_norm_names_the_known_ones():
    with pytest.raises(CourseError, match="l1"):
        cyclegan.cycle_loss(torch.zeros(1), torch.zeros(1), "l3")


# One step


class Plus(nn.Module):
    """A generator that adds a number, which is all that it can learn."""

    def __init__(self, shift):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, x):
        return x + self.shift


class Mean(nn.Module):
    """A discriminator that says how bright a picture is, times a weight."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x):
        return self.weight * x.mean((1, 2, 3)).view(-1, 1, 1)


def by_hand_gan(**changes):
    """Players of one weight each, and plain gradient descent."""
    gan, run = tiny_gan(**changes)
    gan.netG_AB, gan.netG_BA = Plus(0.3), Plus(-0.1)
    gan.netD_A, gan.netD_B = Mean(2.0), Mean(-1.0)
    gan.opt_g = torch.optim.SGD([gan.netG_AB.shift, gan.netG_BA.shift], lr=1.0)
    gan.opt_d = torch.optim.SGD([gan.netD_A.weight, gan.netD_B.weight], lr=1.0)
    return gan, run


def test_a_step_logs_the_losses_of_the_paper():
    gan, run = by_hand_gan(lambda_idt=0.5)
    batch = {"real_A": torch.full((2, 3, 16, 16), 0.2), "real_B": torch.full((2, 3, 16, 16), -0.5)}
    gan.opt_d.step = gan.opt_g.step = lambda: None
    losses = cyclegan.train_step(gan, batch, run)
    fake_B, fake_A = 0.2 + 0.3, -0.5 - 0.1
    d_A = ((2 * 0.2 - 1) ** 2 + (2 * fake_A) ** 2) / 2
    d_B = ((0.5 - 1) ** 2 + (-fake_B) ** 2) / 2
    assert losses["D/adv"].item() == pytest.approx(d_A + d_B, rel=1e-5)
    adv = (2 * fake_A - 1) ** 2 + (-fake_B - 1) ** 2
    assert losses["G/adv"].item() == pytest.approx(adv, rel=1e-5)
    assert losses["G/cycle"].item() == pytest.approx(2 * abs(0.3 - 0.1), rel=1e-5)
    assert losses["G/identity"].item() == pytest.approx(0.3 + 0.1, rel=1e-5)


@pytest.mark.parametrize("name", ABLATION)
def test_g_descends_the_weighted_sum_of_the_terms_that_the_config_names(name):
    """Both shifts move both cycles by the sign of their sum; an L1 cycle has that slope or none."""
    changes = {"lambda_idt": 0.0} | ABLATION[name]
    gan, run = by_hand_gan(**changes)
    gan.opt_d.step = lambda: None
    batch = {"real_A": torch.full((2, 3, 16, 16), 0.2), "real_B": torch.full((2, 3, 16, 16), -0.5)}
    ab, ba = gan.netG_AB.shift, gan.netG_BA.shift
    cyclegan.train_step(gan, batch, run)
    cfg = gan.cfg
    adv_ab = cfg.lambda_adv * 2 * (-(0.2 + 0.3) - 1) * -1.0
    adv_ba = cfg.lambda_adv * 2 * (2 * (-0.5 - 0.1) - 1) * 2.0
    one = {"l1": 1.0, "l2": 2 * 0.2}[cfg.cycle_norm]
    cycle = cfg.lambda_cyc * one * len(cfg.cycles)
    identity = WEIGHT * cfg.lambda_idt
    assert ab.grad.item() == pytest.approx(adv_ab + cycle + identity, rel=1e-4)
    assert ba.grad.item() == pytest.approx(adv_ba + cycle - identity, rel=1e-4)


@pytest.mark.parametrize("name", ABLATION)
def test_each_row_of_the_ablation_trains_what_it_should(name):
    gan, run = tiny_gan(**({"lambda_idt": 0.0} | ABLATION[name]))
    nets = {n: net for n, net in vars(gan).items() if n.startswith("net")}
    before = {n: nn.utils.parameters_to_vector(net.parameters()) for n, net in nets.items()}
    losses = cyclegan.train_step(gan, tiny_batch(), run)
    after = {n: nn.utils.parameters_to_vector(net.parameters()) for n, net in nets.items()}
    moved = {n for n in nets if not torch.equal(before[n], after[n])}
    adversarial = name != "cycle alone"
    assert moved == {"netG_AB", "netG_BA"} | ({"netD_A", "netD_B"} if adversarial else set())
    assert ("G/adv" in losses) == ("D/adv" in losses) == adversarial
    assert ("G/cycle" in losses) == (name != "GAN alone")
    assert ("G/identity" in losses) == (name == "with identity")


def test_one_pass_for_translation_and_identity_is_exact():
    """Instance norm lets no picture see its neighbours in the batch."""
    gan, _ = tiny_gan()
    batch = tiny_batch()
    together = gan.netG_AB(torch.cat([batch["real_A"], batch["real_B"]]))
    apart = torch.cat([gan.netG_AB(image[None]) for image in (*batch["real_A"], *batch["real_B"])])
    torch.testing.assert_close(together, apart)
    together = gan.netD_B(torch.cat([batch["real_A"], batch["real_B"]]))
    apart = torch.cat([gan.netD_B(image[None]) for image in (*batch["real_A"], *batch["real_B"])])
    torch.testing.assert_close(together, apart)


def test_the_discriminators_cost_the_generators_update_no_gradients():
    gan, run = tiny_gan()
    frozen = []
    weights = [p for net in (gan.netD_A, gan.netD_B) for p in net.parameters()]

    def watch(*_):
        frozen.extend(not p.requires_grad for p in weights)

    gan.opt_g.register_step_pre_hook(watch)
    cyclegan.train_step(gan, tiny_batch(), run)
    assert frozen and all(frozen)
    assert all(p.requires_grad for p in weights)


def test_a_generator_learns_that_the_other_domain_is_darker():
    """Bright A, dark B, nothing else: no pair is needed to find that out."""
    generator = torch.Generator().manual_seed(3)
    cfg = {"lr": 2e-3, "steps": 60, "lambda_idt": 0.0, "ndf": 4}
    gan, run = tiny_gan(**cfg)
    noise = torch.rand(2, 2, 3, 16, 16, generator=generator) * 0.2
    batch = {"real_A": noise[0] + 0.5, "real_B": noise[1] - 0.7}
    for _ in range(60):
        cyclegan.train_step(gan, batch, run)
    assert cyclegan.sample(gan, real_A=batch["real_A"]).mean() < 0
    assert cyclegan.sample(gan, real_B=batch["real_B"]).mean() > 0


# The pool


def test_d_is_shown_the_pool_and_g_is_not():
    """With earlier fakes in the pool, D's loss is about those; G's about its own."""
    gan, run = by_hand_gan(lambda_idt=0.0, lambda_cyc=0.0, pool_size=2)
    gan.opt_d.step = gan.opt_g.step = lambda: None
    for pool in (gan.pool_A, gan.pool_B):
        pool(torch.full((2, 3, 16, 16), 0.9))
    torch.manual_seed(0)
    batch = {"real_A": torch.full((2, 3, 16, 16), 0.2), "real_B": torch.full((2, 3, 16, 16), -0.5)}
    values = set()
    for seed in range(40):
        torch.manual_seed(seed)
        for pool in (gan.pool_A, gan.pool_B):
            pool.images.fill_(0.9)
        losses = cyclegan.train_step(gan, batch, run)
        values.add(round(losses["D/adv"].item(), 4))
        assert losses["G/adv"].item() == pytest.approx(2.2**2 + 1.5**2, rel=1e-5)
    # For each domain 0, 1 or 2 of the fakes come from the pool: 9 losses, all of which occur.
    d_A = {((0.4 - 1) ** 2 + (n * 1.8**2 + (2 - n) * 1.2**2) / 2) / 2 for n in range(3)}
    d_B = {((0.5 - 1) ** 2 + (n * 0.9**2 + (2 - n) * 0.5**2) / 2) / 2 for n in range(3)}
    expected = sorted(x + y for x in d_A for y in d_B)
    assert sorted(values) == pytest.approx(expected, abs=2e-4)


# The schedule


def test_the_step_size_is_constant_then_falls_linearly_to_zero():
    gan, _ = tiny_gan(steps=10, constant=0.6, lr=1.0)
    seen = {"g": [], "d": []}
    for _ in range(12):
        for player, rates in seen.items():
            optimizer = getattr(gan, f"opt_{player}")
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
    assert seen["g"] == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0])
    assert seen["d"] == seen["g"]


def test_a_step_size_may_stay_constant_to_the_end():
    gan, _ = tiny_gan(steps=5, constant=1.0, lr=1.0)
    for _ in range(4):
        gan.opt_g.step()
    assert gan.opt_g.param_groups[0]["lr"] == 1.0


def test_the_trainer_steps_the_schedule():
    gan, run = tiny_gan(steps=4)
    train(gan, cyclegan.train_step, tiny_data(), run, quiet=True)
    assert gan.opt_g.param_groups[0]["lr"] == 0 == gan.opt_d.param_groups[0]["lr"]


# Going on


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_ends_bit_for_bit_as_one_that_was_not_stopped(tmp_path, precision):
    """With both pools full and the step size falling at the moment of the stop."""
    data = tiny_data()

    def go(folder, *stops):
        for steps in stops:
            run = runtime.start("cpu", 5, precision=precision)
            gan = cyclegan.build(TINY, run)
            step = stopping(cyclegan.train_step, steps)
            options = {"out_dir": tmp_path / folder, "resume": True, "quiet": True}
            history = train(gan, step, data, run, checkpoint_every=1, **options)
        return gan, history

    straight, history = go("straight", 8)
    stopped, resumed = go("stopped", 6, 8)
    assert straight.pool_A.count == 3 and straight.schedule_g.last_epoch == 8
    one, other = (
        statefile.flatten({n: part.state_dict() for n, part in gan.parts().items()})
        for gan in (straight, stopped)
    )
    assert one[0] == other[0]
    assert all(torch.equal(one[1][name], other[1][name]) for name in one[1])
    assert history.values == resumed.values


# Networks


def test_the_paper_networks_have_as_many_weights_as_the_authors():
    """pytorch-CycleGAN-and-pix2pix prints 11.378 M and 2.765 M for its defaults.

    Its convolutions have biases everywhere; ours have none where instance norm takes the mean
    away again.
    """
    cfg = cyclegan.PRESETS["paper"]
    with torch.device("meta"):
        generator, discriminator = cyclegan.Generator(cfg), cyclegan.Discriminator(cfg)
    cancelled = 64 + 128 + 256 + 9 * 2 * 256 + 128 + 64
    assert count(generator) + cancelled == 11_378_179
    cancelled = 128 + 256 + 512
    assert count(discriminator) + cancelled == 2_764_737
    assert (cfg.lr, cfg.betas, cfg.batch_size, cfg.pool_size) == (2e-4, (0.5, 0.999), 1, 50)
    assert (cfg.lambda_adv, cfg.lambda_cyc, cfg.cycles) == (1, WEIGHT, ("forward", "backward"))


def test_the_layers_are_those_that_the_paper_lists():
    cfg = cyclegan.PRESETS["paper"]
    with torch.device("meta"):
        generator, discriminator = cyclegan.Generator(cfg), cyclegan.Discriminator(cfg)
    convolutions = (nn.Conv2d, nn.ConvTranspose2d)

    def listed(net):
        return [
            (m.kernel_size[0], m.stride[0], m.out_channels)
            for m in net.modules()
            if isinstance(m, convolutions)
        ]

    down = [(7, 1, 64), (3, 2, 128), (3, 2, 256)]
    up = [(3, 2, 128), (3, 2, 64), (7, 1, 3)]
    assert listed(generator) == [*down, *[(3, 1, 256)] * 18, *up]
    assert listed(discriminator) == [
        (4, 2, 64), (4, 2, 128), (4, 2, 256), (4, 1, 512), (4, 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("layers", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_d_sees_patches_of_the_size_that_the_config_says(layers, patch):
    """Sides of pixels that one of D's numbers depends on, with the norm's statistics left out."""
    cfg = replace(cyclegan.PRESETS["smoke"], d_layers=layers, ndf=2, channels_B=1)
    torch.manual_seed(0)
    netD = cyclegan.Discriminator(cfg)
    for i, layer in enumerate(netD.layers):
        if isinstance(layer, cyclegan.InstanceNorm):
            netD.layers[i] = nn.Identity()
    x = torch.randn(1, 1, 128, 128, requires_grad=True)
    logits = netD(x)
    middle = logits.shape[1] // 2
    (grad,) = torch.autograd.grad(logits[0, middle, middle], x)
    touched = grad[0, 0].abs() > 0
    assert touched.any(0).sum() == patch and touched.any(1).sum() == patch


def test_instance_norm_is_that_of_torch():
    x = torch.randn(3, 5, 6, 7) * 4 + 1
    torch.testing.assert_close(cyclegan.InstanceNorm()(x), nn.InstanceNorm2d(5)(x))
    x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(cyclegan.InstanceNorm()(x), nn.InstanceNorm2d(5)(x))


@pytest.mark.parametrize("preset", ["laptop", "paper"])
def test_a_translation_keeps_the_side(preset):
    cfg = cyclegan.PRESETS[preset]
    shape = (2, 3, cfg.image_size, cfg.image_size)
    with torch.device("meta"):
        assert cyclegan.Generator(cfg)(torch.zeros(shape)).shape == shape
        assert cyclegan.Discriminator(cfg)(torch.zeros(shape)).shape[0] == 2


@pytest.mark.parametrize(("kernel", "even"), [(3, False), (4, True)])
def test_a_kernel_that_the_stride_divides_gives_each_pixel_as_many_inputs(kernel, even):
    """With equal weights, a picture of one value stays one; otherwise a checkerboard appears."""
    cfg = replace(cyclegan.PRESETS["smoke"], g_downs=1, g_stride_kernel=kernel)
    (up,) = (m for m in cyclegan.Generator(cfg).modules() if isinstance(m, nn.ConvTranspose2d))
    nn.init.ones_(up.weight)
    out = up(torch.ones(1, up.in_channels, 8, 8))
    assert out.shape[-2:] == (16, 16)
    inside = out[..., 2:-2, 2:-2]
    assert (inside.max() - inside.min() < 1e-3) == even


def test_with_the_skip_a_generator_that_draws_nothing_returns_the_picture():
    gan, _ = tiny_gan(g_skip=True)
    image = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    nn.init.zeros_(gan.netG_AB.layers[-1].weight)
    torch.testing.assert_close(gan.netG_AB(image), 0.97 * image)
    assert gan.netG_AB(1.2 * image).isfinite().all()  # noise may have been added to it
    with pytest.raises(CourseError, match="g_skip"):
        tiny_gan(channels_A=1, lambda_idt=0.0, g_skip=True)


def test_domains_may_differ_in_their_channels():
    gan, run = tiny_gan(channels_A=1, lambda_idt=0.0)
    batch = tiny_batch()
    batch["real_A"] = batch["real_A"][:, :1]
    cyclegan.train_step(gan, batch, run)
    assert cyclegan.sample(gan, real_A=batch["real_A"]).shape == (2, 3, 16, 16)
    assert cyclegan.sample(gan, real_B=batch["real_B"]).shape == (2, 1, 16, 16)
    with pytest.raises(CourseError, match="lambda_idt=0"):
        tiny_gan(channels_A=1, lambda_idt=0.5)


# What is wrong is said


@pytest.mark.parametrize("given", [(), ("real_A", "real_B")])
def test_pictures_of_exactly_one_domain_are_translated(given):
    gan, _ = tiny_gan()
    with pytest.raises(CourseError, match="real_A or real_B"):
        cyclegan.sample(gan, **{name: tiny_batch()[name] for name in given})


@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (3, 16, 16), (2, 3, 18, 16)])
def test_pictures_that_do_not_fit_are_refused(shape):
    gan, _ = tiny_gan()
    with pytest.raises(CourseError, match=r"\(N, 3, H, W\)"):
        cyclegan.sample(gan, real_A=torch.zeros(shape))


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(CourseError, match="batch_size"):
        tiny_gan(pool_size=1, batch_size=2)
    with pytest.raises(CourseError, match="forward"):
        tiny_gan(cycles=("sideways",))

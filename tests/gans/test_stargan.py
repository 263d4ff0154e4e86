"""StarGAN: the penalty in closed form, which labels reach whom, turns, the paper's networks."""

import itertools
from dataclasses import replace

import pytest
import torch
from contract import stopping

from gancourse.errors import CourseError
from gancourse.gans import stargan
from gancourse.training import runtime, train

CFG = stargan.PRESETS["smoke"]  # eight attributes, and six classes
KINDS, SIZES = CFG.label_kinds, CFG.label_sizes
SINGLE = replace(CFG, label_kinds=("attributes",), label_sizes=(3,))


def numbers(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def batch(size=8):
    """Pictures of both sets in turn."""
    source = torch.arange(size) % 2
    labels = torch.zeros(size, 14)
    labels[source == 0, :8] = (numbers(size // 2, 8, seed=1) > 0).float()
    labels[torch.arange(1, size, 2), 8 + torch.arange(size // 2) % 6] = 1
    return {"real": numbers(size, 3, 32, 32), "labels": labels, "source": source}


def start(cfg=CFG, seed=0):
    run = runtime.start("cpu", seed)
    return stargan.build(cfg, run), run


def weights(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


class LinearCritic(torch.nn.Module):
    """D(x) = <w, x>: its gradient is w at every point."""

    def __init__(self, w):
        super().__init__()
        self.w = torch.nn.Parameter(w)

    def forward(self, x):
        return (x * self.w).sum((1, 2, 3)).view(-1, 1, 1), None


@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_its_slope_minus_one_squared(length):
    w = numbers(3, 4, 4)
    critic = LinearCritic(length * w / w.norm())
    penalty = stargan.gradient_penalty(critic, numbers(5, 3, 4, 4), numbers(5, 3, 4, 4, seed=1))
    assert penalty.item() == pytest.approx((length - 1) ** 2, abs=1e-6)
    penalty.backward()  # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|
    torch.testing.assert_close(critic.w.grad, 2 * (length - 1) * w / w.norm(), atol=1e-6, rtol=1e-5)


def test_the_penalty_adds_up_the_patches():
    """A critic that gives its answer on each of four patches has four times the slope."""

    def four(x):
        return x[:, 0, :1, :1].expand(-1, 2, 2), None

    penalty = stargan.gradient_penalty(four, numbers(5, 3, 4, 4), numbers(5, 3, 4, 4))
    assert penalty.item() == pytest.approx((4 - 1) ** 2, abs=1e-5)


def test_the_penalty_is_taken_on_the_line_between_real_and_fake():
    """D(x) = x^2 / 2 of one pixel has the slope x: from real 3 to fake 1 it lies between."""
    real, fake = torch.full((400, 1, 1, 1), 3.0), torch.full((400, 1, 1, 1), 1.0)
    seen = []

    def square(x):
        seen.append(x.detach())
        return x.square()[:, 0] / 2, None

    torch.manual_seed(0)
    penalty = stargan.gradient_penalty(square, real, fake)
    assert seen[0].min() >= 1 and seen[0].max() <= 3 and seen[0].std() > 0.4
    assert penalty.item() == pytest.approx((seen[0] - 1).square().mean().item(), rel=1e-5)
    assert penalty.item() == pytest.approx(4 / 3, rel=0.15)  # the mean of u^2 over [0, 2]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_penalty_can_be_differentiated_again_in_channels_last(precision):
    run = runtime.start("cpu", 0, precision=precision, channels_last=True)
    gan, data = stargan.build(CFG, run), batch()
    with run.autocast():
        penalty = stargan.gradient_penalty(gan.netD, data["real"], data["real"].flip(0))
    assert penalty.dtype == torch.float32
    penalty.backward()
    for name, weight in gan.netD.named_parameters():
        if "label_head" in name:
            assert weight.grad is None
        elif name.endswith("weight"):
            assert weight.grad.isfinite().all() and weight.grad.abs().sum() > 0, name


def test_the_penalty_of_a_flat_critic_has_a_finite_gradient():
    critic = LinearCritic(torch.zeros(3, 4, 4))
    penalty = stargan.gradient_penalty(critic, numbers(5, 3, 4, 4), numbers(5, 3, 4, 4, seed=1))
    penalty.backward()
    assert penalty.item() == 1 and critic.w.grad.isfinite().all()


def test_the_naming_slope_of_a_quadratic_is_the_distance_squared():
    """A picture's loss |x - 1|^2 / 2 has the gradient x - 1, whatever the batch's size."""
    for n in (1, 5):
        real = numbers(n, 3, 4, 4).requires_grad_()
        named = (real - 1).square().flatten(1).sum(1).mean() / 2
        penalty = stargan.slope_penalty(named, real)
        wanted = (real - 1).square().flatten(1).sum(1).mean()
        torch.testing.assert_close(penalty, wanted)
        (grad,) = torch.autograd.grad(penalty, real)
        torch.testing.assert_close(grad, 2 * (real.detach() - 1) / n)


def test_a_large_weight_on_the_naming_slope_keeps_the_naming_head_flat():
    slopes = {}
    for weight in (0.0, 100.0):
        run = runtime.start("cpu", 0)
        gan, data = stargan.build(replace(CFG, lambda_slope=weight, steps=100), run), batch()
        for gan.step in range(30):
            stargan.train_step(gan, data, run)
        real = data["real"].clone().requires_grad_()
        named = stargan.class_loss(
            gan.netD(real)[1], data["labels"], data["source"], CFG.label_kinds, CFG.label_sizes
        )
        slopes[weight] = stargan.slope_penalty(named, real).item()
    assert slopes[100.0] < slopes[0.0] / 10


def test_the_adversarial_losses_are_differences_of_means():
    real, fake = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[-1.0, 0.0]]])
    assert stargan.d_loss(real, fake).item() == -2.5
    assert stargan.g_loss(fake).item() == 0.5


def test_attributes_count_as_a_sum_and_classes_as_one_choice():
    """Flat logits: each attribute costs log 2, a choice among six log 6."""
    data = batch(4)
    loss = stargan.class_loss(
        torch.zeros(4, 14), data["labels"], data["source"], KINDS, SIZES
    ).item()
    log = torch.log(torch.tensor([2.0, 6.0]))
    assert loss == pytest.approx((2 * 8 * log[0] + 2 * log[1]).item() / 4, rel=1e-6)


def test_one_set_alone_has_the_normalisation_of_the_authors():
    """The sum over attributes divided by the batch; the mean cross-entropy of classes."""
    logits, labels = numbers(6, 3) * 4, (numbers(6, 3, seed=1) > 0).float()
    first = torch.zeros(6, dtype=torch.long)
    by_hand = (
        -(labels * logits.sigmoid().log() + (1 - labels) * (-logits).sigmoid().log()).sum() / 6
    )
    loss = stargan.class_loss(logits, labels, first, ("attributes",), (3,))
    assert loss.item() == pytest.approx(by_hand.item(), rel=1e-5)
    index = torch.tensor([2, 0, 1, 1, 2, 0])
    by_hand = -logits.log_softmax(1)[torch.arange(6), index].mean()
    loss = stargan.class_loss(logits, torch.eye(3)[index], first, ("classes",), (3,))
    assert loss.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_an_unknown_label_has_exactly_no_gradient():
    data, logits = batch(), numbers(8, 14).mul(5).requires_grad_()
    stargan.class_loss(logits, data["labels"], data["source"], KINDS, SIZES).backward()
    attributes, classes = logits.grad.split(SIZES, 1)
    assert (attributes[data["source"] == 1] == 0).all()
    assert (classes[data["source"] == 0] == 0).all()
    assert (attributes[data["source"] == 0] != 0).all()
    assert (classes[data["source"] == 1] != 0).all()


def test_labels_in_another_order_and_what_stands_in_unknown_ones_change_nothing():
    data, logits = batch(), numbers(8, 14)
    loss = stargan.class_loss(logits, data["labels"], data["source"], KINDS, SIZES)
    order = torch.tensor([5, 0, 7, 2, 1, 6, 3, 4])  # the sets no longer take turns
    again = stargan.class_loss(
        logits[order], data["labels"][order], data["source"][order], KINDS, SIZES
    )
    torch.testing.assert_close(loss, again)
    noise = data["labels"].clone()
    noise[data["source"] == 0, 8:] = 0.7
    noise[data["source"] == 1, :8] = 0.3
    same = stargan.class_loss(logits, noise, data["source"], KINDS, SIZES)
    torch.testing.assert_close(loss, same, rtol=0, atol=0)
    net = start()[0].netG
    torch.testing.assert_close(
        net(data["real"], noise, data["source"]),
        net(data["real"], data["labels"], data["source"]),
        rtol=0,
        atol=0,
    )


def test_a_batch_of_one_set_alone_trains():
    gan, run = start()
    for which in (0, 1):
        data = batch()
        rows = data["source"] == which
        losses = stargan.train_step(gan, {k: v[rows] for k, v in data.items()}, run)
        assert all(value.isfinite() for value in losses.values())


def test_g_sees_the_labels_as_planes_and_the_mask_behind_them():
    gan, _ = start()
    data, seen = batch(2), []
    gan.netG.layers[0].register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    gan.netG(data["real"], data["labels"], data["source"])
    image, planes = seen[0][:, :3], seen[0][:, 3:]
    assert torch.equal(image, data["real"])
    assert (planes == planes[:, :, :1, :1]).all()
    assert torch.equal(planes[:, :14, 0, 0], data["labels"])
    assert torch.equal(planes[:, 14:, 0, 0], torch.eye(2))
    alone = stargan.build(SINGLE, runtime.start("cpu", 0)).netG
    assert alone.layers[0].in_channels == 3 + 3  # one set needs no mask


def test_targets_come_from_the_same_label_set_and_each_once():
    source = torch.tensor([1, 0, 2, 0, 1, 0, 0, 2, 1, 0])
    orders = set()
    for seed in range(40):
        torch.manual_seed(seed)
        order = stargan.shuffled(source)
        assert torch.equal(source[order], source)
        assert torch.equal(order.sort().values, torch.arange(10))
        orders.add(tuple(order.tolist()))
    assert len(orders) > 30
    assert len({order[1] for order in orders}) == 5  # each of the five of its set can be met


def test_d_is_updated_in_every_step_and_g_in_every_nth():
    gan, run = start(replace(SINGLE, n_critic=3))
    data = batch() | {"labels": numbers(8, 3).gt(0).float(), "source": torch.zeros(8).long()}
    seen = []
    for gan.step in range(7):
        before = weights(gan.netD), weights(gan.netG)
        stargan.train_step(gan, data, run)
        after = weights(gan.netD), weights(gan.netG)
        moved = [any(not b[k].equal(a[k]) for k in b) for b, a in zip(before, after, strict=True)]
        assert moved[0]
        seen.append(moved[1])
    assert seen == [True, False, False, True, False, False, True]


def test_g_has_losses_only_where_it_was_updated():
    gan, run = start(replace(CFG, n_critic=2))
    tags = ["D/adv", "D/cls", "D/gp"], ["G/adv", "G/cls", "G/rec"]
    for gan.step in range(4):
        losses = stargan.train_step(gan, batch(), run)
        assert list(losses) == tags[0] + tags[1] * (gan.step % 2 == 0)


def test_gs_step_size_and_average_count_gs_own_updates():
    gan, run = start(replace(CFG, n_critic=2, steps=8, lr_g=1.0, lr_d=1.0))
    for gan.step in range(4):
        stargan.train_step(gan, batch(), run)
    assert (gan.schedule_g.last_epoch, gan.schedule_d.last_epoch) == (2, 4)
    assert gan.opt_g.param_groups[0]["lr"] == gan.opt_d.param_groups[0]["lr"] == 1.0
    kept = weights(gan.ema)
    gan.step = 1
    stargan.train_step(gan, batch(), run)  # of D alone
    assert all(kept[name].equal(value) for name, value in weights(gan.ema).items())


def test_d_names_real_pictures_alone_and_g_is_paid_for_the_target(monkeypatch):
    gan, run = start()
    calls, real_loss = [], stargan.class_loss

    def watched(logits, labels, *rest):
        calls.append(labels)
        return real_loss(logits, labels, *rest)

    monkeypatch.setattr(stargan, "class_loss", watched)
    data = batch()
    stargan.train_step(gan, data, run)
    of_d, of_g = calls
    assert torch.equal(of_d, data["labels"]) and not torch.equal(of_g, data["labels"])


def test_the_way_back_is_asked_for_with_the_old_labels(monkeypatch):
    gan, run = start()
    data, asked = batch(), []
    forward = gan.netG.forward
    monkeypatch.setattr(
        gan.netG, "forward", lambda x, labels, source: asked.append((x, labels))
        or forward(x, labels, source)
    )  # fmt: skip
    losses = stargan.train_step(gan, data, run)
    (there, wanted), (fake, old) = asked  # both players use the same fake
    assert torch.equal(there, data["real"]) and not torch.equal(wanted, data["labels"])
    assert torch.equal(old, data["labels"]) and fake.requires_grad
    assert 0 < losses["G/rec"] < 2


def test_clipping_takes_the_place_of_the_penalty():
    gan, run = start(replace(CFG, clip=0.01))
    losses = stargan.train_step(gan, batch(), run)
    assert "D/gp" not in losses
    for weight in gan.netD.parameters():
        assert weight.abs().max() <= 0.01
    assert any(weight.abs().max() > 0.01 for weight in gan.netG.parameters())


def test_the_step_sizes_fall_in_a_line_in_the_second_half():
    gan, _ = start(replace(CFG, n_critic=1, steps=8, lr_g=1.0, lr_d=2.0))
    seen = []
    for gan.step in range(9):
        seen.append((gan.opt_g.param_groups[0]["lr"], gan.opt_d.param_groups[0]["lr"]))
        gan.opt_g.step(), gan.opt_d.step()
    shares = [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    assert [g for g, _ in seen] == pytest.approx(shares)
    assert [d for _, d in seen] == pytest.approx([2 * share for share in shares])


def test_a_run_that_was_interrupted_ends_bit_for_bit_as_one_that_was_not(tmp_path):
    class Data:
        name, fields = "test", stargan.inputs(CFG)

        def batch(self, step, size, run):
            order = torch.randperm(8, generator=run.generator(step))
            return {name: value[order] for name, value in batch().items()}

    cfg = replace(CFG, n_critic=3, steps=6)

    def pictures(gan, n):
        return stargan.sample(gan, real=batch()["real"], labels=batch()["labels"])

    def go(folder, *stops):
        for stop in stops:
            run = runtime.start("cpu", 3)
            gan = stargan.build(cfg, run)
            history = train(
                gan, stopping(stargan.train_step, stop), Data(), run, out_dir=tmp_path / folder,
                resume=True, log_every=1, checkpoint_every=1, quiet=True, sample=pictures,
            )  # fmt: skip
        return gan, history

    whole, pieces = go("whole", 6), go("pieces", 2, 5, 6)  # stopped between two of G's updates
    assert whole[1].values == pieces[1].values and whole[1].steps == pieces[1].steps
    assert set(whole[0].parts()) >= {"ema", "schedule_g", "schedule_d"}
    one, other = (
        dict(
            itertools.chain(*(part.state_dict().items() for part in (gan.netG, gan.netD, gan.ema)))
        )
        for gan in (whole[0], pieces[0])
    )
    assert all(torch.equal(one[key], other[key]) for key in one)
    rates = [gan.opt_d.param_groups[0]["lr"] for gan in (whole[0], pieces[0])]
    assert rates[0] == rates[1] == pytest.approx(0.0)


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_the_paper_networks_have_as_many_weights_as_the_authors_code():
    """Layer by layer, by hand; an instance norm has two weights a map, and replaces the bias."""
    cfg = stargan.PRESETS["paper"]
    with torch.device("meta"):
        netG, netD = stargan.Generator(cfg), stargan.Discriminator(cfg)
    ends = 49 * 64 * ((3 + 5) + 3) + 2 * 64
    downs = 16 * (64 * 128 + 128 * 256) + 2 * (128 + 256)
    middle = 6 * 2 * (9 * 256 * 256 + 2 * 256)
    ups = 16 * (256 * 128 + 128 * 64) + 2 * (128 + 64)
    assert count(netG) == ends + downs + middle + ups == 8_430_528
    maps = [3, 64, 128, 256, 512, 1024, 2048]
    body = sum(16 * a * b + b for a, b in itertools.pairwise(maps))
    assert count(netD) == body + 9 * 2048 + 2 * 2 * 2048 * 5 == 44_762_048
    joint = replace(cfg, label_kinds=("attributes", "classes"), label_sizes=(5, 8))
    with torch.device("meta"):
        more = count(stargan.Generator(joint)) - count(netG)
    assert more == 49 * 64 * (8 + 2)  # planes for the other labels and for the mask
    assert (cfg.batch_size, cfg.lr_g, cfg.betas, cfg.n_critic) == (16, 1e-4, (0.5, 0.999), 5)
    assert (cfg.lambda_cls, cfg.lambda_rec, cfg.lambda_gp) == (1, 10, 10)
    assert cfg.lambda_slope == 0  # the paper bounds the first head alone


def test_the_paper_d_judges_patches_and_names_labels():
    cfg = stargan.PRESETS["paper"]
    with torch.device("meta"):
        netG, netD = stargan.Generator(cfg), stargan.Discriminator(cfg)
        x, labels = torch.zeros(2, 3, 128, 128), torch.zeros(2, 5)
        real_logits, class_logits = netD(netG(x, labels, torch.zeros(2).long()))
    assert real_logits.shape == (2, 2, 2) and class_logits.shape == (2, 5)


def test_with_a_skip_g_begins_with_the_picture_and_may_leave_it():
    netG, data = stargan.Generator(replace(SINGLE, g_skip=True, g_mask=False)), batch()
    torch.nn.init.zeros_(netG.layers[-1].weight)
    labels, source = data["labels"][:, :3], torch.zeros(8).long()
    beyond = torch.full((8, 3, 32, 32), 1.1)
    with torch.no_grad():
        torch.testing.assert_close(netG(data["real"], labels, source), 0.97 * data["real"])
        out = netG(beyond, labels, source)  # a step outside the range is no reason for NaN
        torch.testing.assert_close(out, torch.full_like(out, 0.97))
        torch.nn.init.constant_(netG.layers[-1].weight, 1.0)
        assert netG(data["real"].sign(), labels, source).isfinite().all()
        assert (netG(data["real"], labels, source) - data["real"]).abs().mean() > 0.3


def test_a_mask_keeps_pixels_exactly_or_replaces_them():
    """The drawing is 0 with all weights 0; a bias of the mask decides how much of it is seen."""
    netG, data = stargan.Generator(replace(SINGLE, g_mask=True)), batch()
    labels, source = data["labels"][:, :3], torch.zeros(8).long()
    assert netG.layers[-1].out_channels == 4
    layer = torch.nn.Conv2d(netG.layers[-1].in_channels, 4, 3, padding=1)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    netG.layers[-1] = layer
    with torch.no_grad():
        for bias, share in ((-200.0, 0.0), (0.0, 0.5), (200.0, 1.0)):
            layer.bias[3] = bias
            out = netG(data["real"], labels, source)
            torch.testing.assert_close(out, (1 - share) * data["real"])


def test_a_skip_and_a_mask_exclude_each_other():
    with pytest.raises(CourseError, match="g_mask"):
        start(replace(CFG, g_skip=True, g_mask=True))


def test_a_target_for_several_sets_is_reached_one_after_the_other():
    gan, _ = start()
    real = batch()["real"]
    target = torch.zeros(8, 14)
    target[:4, 2] = 1  # an attribute
    target[2:6, 9] = 1  # a class; rows 2 and 3 have both, 6 and 7 nothing
    out = stargan.sample(gan, real=real, labels=target)
    net = gan.ema.net
    with torch.no_grad():
        attributes = net(real, target, torch.zeros(8).long())
        classes = net(real, target, torch.ones(8).long())
        both = net(attributes, target, torch.ones(8).long())
    for rows, expected in ((slice(0, 2), attributes), (slice(2, 4), both), (slice(4, 6), classes),
                           (slice(6, 8), attributes)):  # fmt: skip
        torch.testing.assert_close(out[rows], expected[rows])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label_kinds": ("attributes", "names")}, "names"),
        ({"label_sizes": (8,)}, "kind and a size"),
        ({"image_size": 40}, "multiple of 16"),
    ],
)
def test_settings_that_do_not_fit_are_named(changes, words):
    with pytest.raises(CourseError, match=words):
        stargan.build(replace(CFG, **changes), runtime.start("cpu", 0))


def test_the_laptop_generator_fits_into_a_shipped_file():
    assert 2 * count(stargan.Generator(stargan.PRESETS["laptop"])) < 1_500_000

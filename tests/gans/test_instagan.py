"""InstaGAN: sets of masks in any order and number, losses in closed form, the authors' sizes."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from gancourse.data import load
from gancourse.errors import CourseError
from gancourse.files.weights import shapes_only
from gancourse.gans import instagan
from gancourse.training import runtime

TINY = replace(
    instagan.PRESETS["smoke"],
    image_size=16,
    instances_A=3,
    instances_B=3,
    ins_max=2,
    lambda_idt=10.0,
    ema_decay=0.0,
    batch_size=2,
)


def make(**changes):
    run = runtime.start("cpu", 0)
    return instagan.build(replace(TINY, **changes), run), run


def batch(n=2, counts=(3, 1), seed=3):
    """Pictures of noise, with squares as instances: as many in each row as ``counts`` says."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for side in "AB":
        found[f"real_{side}"] = torch.rand(n, 3, 16, 16, generator=generator) * 2 - 1
        masks = torch.zeros(n, 3, 16, 16)
        for row in range(n):
            for k in range(counts[row % len(counts)]):
                masks[row, k, 2 + k : 5 + 2 * k, 5 * k : 5 * k + 3 + k] = 1
        found[f"masks_{side}"] = masks
    return found


def gradients(given, run_steps=1, **changes):
    """Return the gradients of G's only update, for the mean over a batch."""
    gan, run = make(pool_size=0, **changes)
    gan.opt_d.step = gan.opt_g.step = lambda: None
    for _ in range(run_steps):
        log = instagan.train_step(gan, given, run)
    nets = (gan.netG_AB, gan.netG_BA)
    return torch.cat([p.grad.flatten() for net in nets for p in net.parameters()]), log


# Sets


def test_the_order_of_the_instances_changes_nothing():
    gan, _ = make()
    x, masks = batch()["real_A"], batch()["masks_A"]
    for order in ([1, 0, 2], [2, 1, 0], [1, 2, 0]):
        first, made = instagan.translate(gan, x, masks)
        other, turned = instagan.translate(gan, x, masks[:, order])
        torch.testing.assert_close(other, first, rtol=0, atol=1e-6)
        torch.testing.assert_close(turned, made, rtol=0, atol=1e-6)
    m = 2 * masks - 1
    y, made = gan.netG_AB(x, m)
    z, turned = gan.netG_AB(x, m[:, [2, 0, 1]])
    torch.testing.assert_close(z, y, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(turned, made[:, [2, 0, 1]], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gan.netD_A(x, m), gan.netD_A(x, m.flip(1)), rtol=1e-2, atol=1e-2)


def test_two_equally_large_instances_have_an_order_of_their_own():
    masks = -torch.ones(1, 3, 8, 8)
    masks[0, 0, 5:7, 1:3] = masks[0, 1, 1:3, 4:6] = 1
    masks[0, 2, 3:6, 3:6] = 1
    found = instagan.largest(masks, 3)
    assert torch.equal(found[0], masks[0, [2, 1, 0]])
    for order in ([1, 0, 2], [2, 0, 1]):
        assert torch.equal(instagan.largest(masks[:, order], 3), found)


def test_empty_masks_change_nothing_and_stay_empty():
    gan, _ = make()
    x, masks = batch()["real_A"], 2 * batch()["masks_A"][:, :2] - 1
    masks[1, 1] = -1
    y, made = gan.netG_AB(x, masks)
    more = torch.cat([-torch.ones(2, 1, 16, 16), masks], 1)
    z, after = gan.netG_AB(x, more)
    torch.testing.assert_close(z, y, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(after[:, 1:], made, rtol=1e-4, atol=1e-6)
    assert (after[:, 0] == -1).all() and (made[1, 1] == -1).all()


def test_a_batch_of_two_equals_two_batches_of_one():
    gan, _ = make()
    given = batch()
    x, masks = given["real_A"], given["masks_A"]
    both, made = instagan.translate(gan, x, masks)
    for row in (0, 1):
        one, mine = instagan.translate(gan, x[row : row + 1], masks[row : row + 1])
        torch.testing.assert_close(one[0], both[row], rtol=0, atol=1e-5)
        torch.testing.assert_close(mine[0], made[row], rtol=0, atol=1e-5)


@pytest.mark.parametrize("ins_max", [2, 4])
def test_the_gradient_of_two_rows_is_the_mean_of_those_of_one(ins_max):
    given = batch()
    whole, _ = gradients(given, ins_max=ins_max)
    rows = [
        gradients({n: v[row : row + 1] for n, v in given.items()}, ins_max=ins_max)[0]
        for row in (0, 1)
    ]
    scale = whole.abs().max().item()
    torch.testing.assert_close(whole, sum(rows) / 2, rtol=0, atol=0.05 * scale)


def test_more_instances_make_a_larger_sum():
    net = torch.nn.Conv2d(1, 4, 3, padding=1)
    masks = 2 * batch()["masks_A"] - 1
    each, total = instagan.encode_set(net, masks)
    assert each.shape == (2, 3, 4, 16, 16) and not each[1, 1:].any()
    torch.testing.assert_close(total[0], sum(net(masks[0, k][None, None])[0] for k in range(3)))
    torch.testing.assert_close(total[1], net(masks[1, :1][None])[0])


# Losses


def test_the_context_loss_counts_what_lies_outside_of_both_masks():
    x, y = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
    masks, after = -torch.ones(1, 2, 4, 4), -torch.ones(1, 2, 4, 4)
    masks[0, 0, :, 0] = masks[0, 1, :, :2] = after[0, 0, 0] = 1
    w = instagan.outside(masks, after)
    wanted = torch.ones(4, 4)
    wanted[:, :2] = wanted[0] = 0
    assert torch.equal(w[0, 0], wanted)
    assert instagan.context_loss(x, masks, y, after).tolist() == [0.5 * 6 / 16]


def test_losses_are_one_number_for_each_picture():
    logits = torch.tensor([[[1.0, 1.0]], [[0.5, 0.0]]])
    assert instagan.d_loss(logits, logits).tolist() == [0.5, 0.375]
    assert instagan.g_loss(logits).tolist() == [0.0, 0.625]
    x, m = torch.zeros(2, 3, 4, 4), -torch.ones(2, 1, 4, 4)
    assert instagan.distance(x, m, x + 0.4, m).tolist() == pytest.approx([0.3, 0.3])


def test_the_gradient_is_that_of_the_papers_loss():
    given = batch(counts=(2, 1))
    found, log = gradients(given)
    gan, _ = make()
    x, y = given["real_A"], given["real_B"]
    a, b = (instagan.largest(2 * given[f"masks_{side}"] - 1, 2) for side in "AB")
    for netD, real, masks in ((gan.netD_A, x, a), (gan.netD_B, y, b)):
        netD(real, masks), netD(real, masks)  # spectral norm counts its calls
    loss = 0
    for G, back, netD, real, m in (
        (gan.netG_AB, gan.netG_BA, gan.netD_B, x, a),
        (gan.netG_BA, gan.netG_AB, gan.netD_A, y, b),
    ):
        fake, made = G(real, m)
        rec, rec_m = back(fake, made)
        same, same_m = back(real, m)
        loss = loss + (netD(fake, made) - 1).square().mean()
        for z, n in ((rec, rec_m), (same, same_m)):
            loss = loss + 10 * F.l1_loss(torch.cat([z, n], 1), torch.cat([real, m], 1))
        union = ((torch.cat([m, made], 1) + 1) / 2).sum(1, keepdim=True).clamp(max=1)
        loss = loss + 10 * ((1 - union) * (real - fake).abs()).mean()
    weights = [*gan.netG_AB.parameters(), *gan.netG_BA.parameters()]
    mine = torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)])
    torch.testing.assert_close(found, mine, rtol=1e-3, atol=1e-4 * mine.abs().max().item())
    assert {"D/adv", "G/adv", "G/cycle", "G/identity", "G/context"} == {*log}


@pytest.mark.parametrize("name", ["idt", "ctx"])
def test_a_loss_of_weight_0_is_not_computed(name):
    _, log = gradients(batch(), **{f"lambda_{name}": 0.0})
    assert {"idt": "G/identity", "ctx": "G/context"}[name] not in log


# Sequential mini-batches


def test_the_second_two_instances_are_translated_in_the_first_twos_picture():
    gan, run = make(ins_max=4)
    seen, updates = [], []
    gan.netG_AB.register_forward_pre_hook(lambda _, given: seen.append(given))
    gan.opt_g.register_step_post_hook(lambda *_: updates.append(1))
    given = batch(counts=(3, 2))
    instagan.train_step(gan, given, run)
    assert len(updates) == 2 and gan.schedule_g.last_epoch == 2
    (x, first), (later, second) = seen[0], seen[len(seen) // 2]
    assert torch.equal(x, given["real_A"]) and not torch.equal(later[0], x[0])
    assert not later.requires_grad, "no graph leads back into the first two"
    assert instagan.present(first).tolist() == [[1, 1], [1, 1]]
    assert instagan.present(second).tolist() == [[1, 0], [0, 0]]


def test_a_picture_without_an_instance_stays_as_it_is_and_trains_nothing():
    gan, _ = make()
    given = batch(counts=(2, 0))
    y, made = instagan.translate(gan, given["real_A"], given["masks_A"])
    assert torch.equal(y[1], given["real_A"][1]) and not made[1].any()
    whole, _ = gradients(given)
    one, _ = gradients({name: value[:1] for name, value in given.items()})
    torch.testing.assert_close(whole, one / 2, rtol=0, atol=0.05 * one.abs().max().item())


def test_d_sees_all_real_instances_and_the_fakes_so_far():
    gan, run = make(ins_max=4, pool_size=0)
    seen = []
    gan.netD_B.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    instagan.train_step(gan, batch(counts=(3,)), run)
    counts = [instagan.present(masks).sum(1).tolist() for masks in seen]
    assert counts == [[3, 3], [2, 2], [2, 2], [3, 3], [3, 3], [3, 3]]


# Networks


def test_the_paper_networks_have_the_authors_sizes():
    """26.815 M in G; 9.754 M in D, with the vectors u and v of its spectral norms."""
    with shapes_only():
        nets = instagan.networks(instagan.PRESETS["paper"])
        x, masks = torch.zeros(1, 3, 200, 200), torch.zeros(1, 2, 200, 200)
        y, made = nets["netG_AB"](x, masks)
        logits = nets["netD_B"](x, masks)
    assert sum(p.numel() for p in nets["netG_AB"].parameters()) == 26_815_108
    d = nets["netD_B"]
    assert sum(t.numel() for t in (*d.parameters(), *d.buffers())) == 9_754_434
    assert y.shape == x.shape and made.shape == masks.shape and logits.shape == (1, 23, 23)


def test_the_paper_preset_has_the_published_numbers():
    cfg = instagan.PRESETS["paper"]
    assert (cfg.image_size, cfg.ngf, cfg.g_blocks, cfg.ins_max, cfg.ins_per) == (200, 64, 9, 4, 2)
    assert (cfg.lambda_cyc, cfg.lambda_idt, cfg.lambda_ctx, cfg.pool_size) == (10, 10, 10, 50)
    assert (cfg.lr, cfg.betas, cfg.batch_size) == (2e-4, (0.5, 0.999), 1)


def test_with_the_skip_a_generator_that_draws_nothing_returns_what_is_outside():
    gan, _ = make(g_skip=True)
    for p in gan.netG_AB.parameters():
        torch.nn.init.zeros_(p)
    given = batch()
    x, masks = given["real_A"], 2 * given["masks_A"] - 1
    y, made = gan.netG_AB(x, masks)
    torch.testing.assert_close(y, 0.97 * x * instagan.outside(masks))
    there = instagan.present(masks)[:, :, None, None] > 0
    torch.testing.assert_close(made, torch.where(there, 0.97 * masks, masks))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ins_max": 3}, "multiple of ins_per"),
        ({"pool_size": 1}, "batch_size"),
        ({"channels_A": 1}, "as many channels"),
    ],
)
def test_settings_that_do_not_fit_are_explained(changes, message):
    with pytest.raises(CourseError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"real_A": torch.zeros(1, 3, 16, 16)}, "give either"),
        ({"real_A": torch.zeros(1, 1, 16, 16), "masks_A": torch.zeros(1, 1, 16, 16)}, "pictures"),
        ({"real_A": torch.zeros(1, 3, 16, 16), "masks_A": torch.zeros(2, 1, 16, 16)}, "masks must"),
        ({"real_B": torch.zeros(1, 3, 15, 16), "masks_B": torch.zeros(1, 1, 15, 16)}, "multiples"),
    ],
)
def test_inputs_that_do_not_fit_are_explained(given, message):
    with pytest.raises(CourseError, match=message):
        instagan.sample(make()[0], **given)


# Training


@pytest.mark.parametrize("name", ["trees", "houses"])
def test_scenes_with_instances_can_be_trained_on(name):
    data = load(name, limit=8, image_size=32).take(*instagan.TAKES)
    cfg, run = instagan.configure("smoke", data.fields), runtime.start("cpu", 0)
    log = instagan.train_step(instagan.build(cfg, run), data.batch(0, 4, run), run)
    assert all(value.isfinite() for value in log.values())


def test_g_learns_to_move_what_the_masks_say():
    """Dark squares become bright ones, and the grey around them stays."""
    gan, run = make(lr=5e-3, steps=60, lambda_idt=0.0)
    given = batch()
    for side, shade in (("A", -0.8), ("B", 0.8)):
        inside = given[f"masks_{side}"].amax(1, keepdim=True)
        given[f"real_{side}"] = (inside * shade).expand(-1, 3, -1, -1).contiguous()
    for _ in range(60):
        instagan.train_step(gan, given, run)
    y, _ = instagan.translate(gan, given["real_A"], given["masks_A"])
    inside = given["masks_A"][:, :2].amax(1, keepdim=True).expand_as(y) > 0.5
    assert y[inside].mean() > -0.4 and y[~inside].abs().mean() < 0.2

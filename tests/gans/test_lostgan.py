"""LostGAN: the crops, the pasted masks and the normalisation in closed form; who judges what."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import roi_align as of_torchvision

from gancourse import fields
from gancourse.data import load
from gancourse.errors import CourseError
from gancourse.files.weights import shapes_only
from gancourse.gans import lostgan
from gancourse.training import runtime

TINY = replace(lostgan.PRESETS["smoke"], num_things=3, num_kinds=4, batch_size=4, r1=0.0)


def make(**changes):
    run = runtime.start("cpu", 0)
    return lostgan.build(replace(TINY, **changes), run), run


def batch(n=4, cfg=TINY):
    """Pictures with layouts, of which the first slot is filled and the last is empty."""
    made = fields.example(lostgan.inputs(cfg), n, torch.Generator().manual_seed(3))
    made["boxes"] = some_boxes(n, cfg.num_things)
    made["kinds"] = made["kinds"].clamp(min=1)
    made["boxes"][:, -1], made["kinds"][:, -1] = -1.0, 0
    return made


def some_boxes(n, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(n, count, 2, generator=generator) * 0.6
    return torch.cat([corner, corner + 0.1 + 0.3 * torch.rand(n, count, 2, generator=generator)], 2)


# Crops


@pytest.mark.parametrize(("size", "per_bin"), [(4, 2), (8, 1), (3, 3)])
def test_a_crop_is_torchvisions(size, per_bin):
    features, boxes = torch.randn(2, 3, 16, 12), some_boxes(2, 5)
    row = torch.arange(2).repeat_interleave(5)[:, None]
    pixels = boxes.flatten(0, 1) * torch.tensor([12, 16, 12, 16])
    wanted = of_torchvision(
        features, torch.cat([row, pixels], 1), size, sampling_ratio=per_bin, aligned=True
    )
    got = lostgan.roi_align(features, boxes, size, per_bin)
    torch.testing.assert_close(got.flatten(0, 1), wanted, rtol=1e-4, atol=1e-5)


def test_a_crop_of_a_ramp_is_the_closed_form():
    ramp = (torch.arange(16) + 0.5).expand(1, 1, 16, 16) / 16  # x as a fraction of the width
    boxes = torch.tensor([[[0.25, 0.1, 0.75, 0.9]]])
    crop = lostgan.roi_align(ramp, boxes, 4)[0, 0, 0]
    wanted = 0.25 + 0.5 * (torch.arange(4) + 0.5) / 4
    torch.testing.assert_close(crop, wanted.expand(4, 4))


def test_a_crop_has_a_second_derivative():
    x = torch.randn(1, 2, 8, 8, requires_grad=True, dtype=torch.float64)
    boxes = some_boxes(1, 2).double()
    assert torch.autograd.gradgradcheck(lambda x: lostgan.roi_align(x, boxes, 2).tanh(), x)


# Masks


def test_a_full_mask_fills_its_box_and_nothing_else():
    boxes = torch.tensor([[[0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 1.0, 1.0], [-1.0, -1, -1, -1]]])
    pasted = lostgan.paste(torch.ones(1, 3, 8, 8), boxes, 16)
    wanted = torch.zeros(3, 16, 16)
    wanted[0, 8:16, 4:12], wanted[1] = 1, 1
    torch.testing.assert_close(pasted[0], wanted)


def test_a_mask_in_the_whole_picture_is_enlarged_as_by_torch():
    mask, whole = torch.rand(2, 1, 4, 4), torch.tensor([0.0, 0, 1, 1]).expand(2, 1, 4)
    wanted = F.interpolate(mask, size=32, mode="bilinear")
    torch.testing.assert_close(lostgan.paste(mask, whole, 32), wanted)


def test_a_mask_goes_where_its_box_goes():
    mask = torch.rand(1, 1, 8, 8)
    box = torch.tensor([[[0.125, 0.25, 0.5, 0.5]]])
    here = lostgan.paste(mask, box, 32)
    there = lostgan.paste(mask, box + torch.tensor([0.25, 0.125, 0.25, 0.125]), 32)
    torch.testing.assert_close(there, here.roll((4, 8), (2, 3)))


def test_shares_add_up_to_1_where_there_is_an_object_and_empty_slots_have_none():
    for backdrop in (True, False):
        gan, _ = make(backdrop=backdrop)
        made, z = batch(), torch.randn(4, TINY.latent_dim)
        objects, shares = gan.netG.eval().shares(z, made["boxes"], made["kinds"])
        assert shares.shape[1] == objects.shape[1] == TINY.num_things + backdrop
        whole = shares.sum(1)
        empty = lostgan.paste(torch.ones(4, 3, 8, 8), made["boxes"], 32).sum(1) == 0
        torch.testing.assert_close(whole[~empty], torch.ones_like(whole[~empty]), atol=1e-3, rtol=0)
        assert empty.any() and ((whole[empty] > 0.99) == backdrop).all()
        assert not shares[:, 2].any()
        seen = lostgan.masks(gan, made["boxes"], made["kinds"], z)
        assert seen.shape == (4, 3, 32, 32) and not seen.requires_grad


# The normalisation


def isla(channels=5, width=6):
    torch.manual_seed(1)
    return lostgan.ISLA(channels, width, nn.Linear)


def test_one_object_all_over_the_picture_is_conditional_batch_norm():
    layer, x, w = isla(), torch.randn(3, 5, 4, 4), torch.randn(3, 1, 6)
    got = layer(x, w, torch.ones(3, 1, 4, 4))
    gamma, beta = (net(w[:, 0])[..., None, None] for net in (layer.gamma, layer.beta))
    wanted = (1 + gamma) * F.batch_norm(x, None, None, training=True) + beta
    torch.testing.assert_close(got, wanted)


def test_where_no_object_is_the_normalisation_is_plain():
    layer, x = isla(), torch.randn(3, 5, 4, 4)
    got = layer(x, torch.randn(3, 2, 6), torch.zeros(3, 2, 4, 4))
    torch.testing.assert_close(got, F.batch_norm(x, None, None, training=True))


def test_an_object_acts_in_its_own_pixels_and_the_order_of_objects_does_not_matter():
    layer, x, w = isla().eval(), torch.randn(1, 5, 4, 4), torch.randn(1, 2, 6)
    shares = torch.zeros(1, 2, 4, 4)
    shares[:, 0, :, :2], shares[:, 1, :, 2:] = 1, 1
    got = layer(x, w, shares)
    other = w.clone()
    other[:, 1] += 1
    changed = (layer(x, other, shares) - got).abs().amax(1)[0]
    assert not changed[:, :2].any() and changed[:, 2:].all()
    torch.testing.assert_close(layer(x, w.flip(1), shares.flip(1)), got)


# Networks


def test_the_paper_networks_have_the_authors_sizes():
    """14.7 M and 23.3 M for 64 pixels: summed by hand from the authors' first version."""

    def conv(a, b, k=3):
        return a * b * k * k + b

    def linear(a, b):
        return a * b + b

    cfg, widths, w = lostgan.PRESETS["paper"], (1024, 512, 256, 128, 64), 256
    with shapes_only():
        nets = lostgan.networks(cfg)
    size = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    g = 184 * 128 + linear(128, 4 * 4 * 1024)
    for a, b in pairwise(widths):
        g += conv(a, b) + conv(b, b) + conv(a, b, 1)
        g += 2 * linear(w, a) + 2 * linear(w, b)
    g += 2 * 64 + conv(64, 3)
    g += linear(w, 128 * 16) + 3 * (conv(128, 128) + 2 * 128) + conv(128, 1, 1)
    assert size["netG"] == g == 14_688_772

    def block(a, b):
        return conv(a, b) + conv(b, b) + conv(a, b, 1)

    d = block(3, 64) + block(64, 128) + block(128, 256) + block(256, 512) + block(512, 1024)
    d += linear(1024, 1) + block(256, 512) + linear(512, 1) + 184 * 512
    assert size["netD"] == d == 23_308_994


def test_the_paper_preset_has_the_published_numbers():
    cfg = lostgan.PRESETS["paper"]
    assert (cfg.lambda_img, cfg.lambda_obj, cfg.lr_g, cfg.lr_d) == (0.1, 1, 1e-4, 1e-4)
    assert (cfg.betas, cfg.batch_size, cfg.num_things, cfg.roi_size) == ((0, 0.999), 128, 8, 8)
    assert cfg.latent_dim == 9 * 128
    with shapes_only():
        nets = lostgan.networks(cfg)
        made = [torch.zeros(2, cfg.latent_dim), torch.zeros(2, 8, 4), torch.zeros(2, 8).long()]
        x = nets["netG"](*made)
        assert x.shape == (2, 3, 64, 64)
        assert [v.shape for v in nets["netD"](x, *made[1:])] == [(2,), (2, 8)]
    plain = [
        layer
        for net in nets.values()
        for layer in net.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and not hasattr(layer, "parametrizations")
    ]
    assert not plain  # all have spectral normalisation


def test_a_step_with_spectral_normalisation_moves_the_weights():
    gan, run = make(spectral=True, backdrop=False)
    before = [p.clone() for net in (gan.netG, gan.netD) for p in net.parameters()]
    log = lostgan.train_step(gan, batch(), run)
    after = [p for net in (gan.netG, gan.netD) for p in net.parameters()]
    assert all(value.isfinite() for value in log.values())
    assert sum(not torch.equal(a, b) for a, b in zip(before, after, strict=True)) > len(after) / 2


def test_an_empty_slot_adds_nothing_to_the_picture_and_nothing_to_the_losses():
    gan, _ = make()
    made, z = batch(), torch.randn(4, TINY.latent_dim)
    other = z.clone()
    other[:, -TINY.z_object :] += 1  # the noise of the last slot, which is empty
    given = {"boxes": made["boxes"], "kinds": made["kinds"]}
    first = lostgan.sample(gan, z=z, **given)
    torch.testing.assert_close(lostgan.sample(gan, z=other, **given), first)
    there = lostgan.filled(**given)
    assert torch.equal(there, torch.tensor([1.0, 1, 0]).expand(4, 3))
    values = torch.randn(4, 3)
    wanted = values[:, :2].mean()
    torch.testing.assert_close(lostgan.over_objects(values, there), wanted)
    assert lostgan.over_objects(values, torch.zeros(4, 3)) == 0


def test_the_noise_of_an_object_changes_the_picture_and_its_mask_alone_sees_it():
    gan, _ = make()
    made, z = batch(), torch.randn(4, TINY.latent_dim)
    other = z.clone()
    other[:, TINY.z_image : TINY.z_image + TINY.z_object] += 1  # that of the first slot
    given = made["boxes"], made["kinds"]
    assert not torch.allclose(*(lostgan.sample(gan, z=v, boxes=given[0], kinds=given[1])
                                for v in (z, other)))  # fmt: skip
    netG = gan.netG.eval()
    masks = [netG.masks(netG.describe(noise, *given)[0]) for noise in (z, other)]
    changed = (masks[0] - masks[1]).abs().amax((2, 3))
    assert (changed[:, 0] > 0).all() and not changed[:, 1:].any()


def test_d_judges_an_object_by_its_kind_and_by_what_is_in_its_box():
    gan, _ = make()
    made = batch()
    x, boxes, kinds = made["real"], made["boxes"], made["kinds"]
    whole, objects = gan.netD(x, boxes, kinds)
    again, renamed = gan.netD(x, boxes, kinds % 4 + 1)
    assert torch.equal(whole, again) and not torch.isclose(objects, renamed)[:, :2].any()
    moved = boxes.clone()
    moved[:, 0] += torch.tensor([0.05, 0, 0.05, 0])
    _, elsewhere = gan.netD(x, moved, kinds)
    assert not torch.isclose(objects, elsewhere)[:, 0].any()
    torch.testing.assert_close(objects[:, 1], elsewhere[:, 1])


def test_neither_network_changes_the_boxes():
    gan, run = make()
    made = batch()
    kept = {name: value.clone() for name, value in made.items()}
    lostgan.train_step(gan, made, run)
    assert all(torch.equal(made[name], kept[name]) for name in made)


# Losses


def test_the_hinge_losses_are_flat_beyond_the_margin():
    real, fake = torch.tensor([2.0, 0.0, -1.0]), torch.tensor([-2.0, 0.0, 1.0])
    assert lostgan.d_loss(real, fake).tolist() == [0, 2, 4]
    assert lostgan.g_loss(fake).tolist() == [2, 0, -1]


@pytest.mark.parametrize(("weights", "silent"), [((1.0, 0.0), "object"), ((0.0, 1.0), "image")])
def test_a_loss_of_weight_0_teaches_nobody(weights, silent):
    gan, run = make(lambda_img=weights[0], lambda_obj=weights[1])
    lostgan.train_step(gan, batch(), run)
    assert not getattr(gan.netD, silent).weight.grad.any()


def test_the_penalty_comes_every_r1_every_steps_and_reaches_the_objects():
    grads = {}
    for step in (0, 1):
        gan, run = make(r1=10.0, lambda_img=0.0, r1_every=8)
        gan.step, gan.opt_d.step = step, lambda: None
        torch.manual_seed(0)
        lostgan.train_step(gan, batch(), run)
        grads[step] = gan.netD.kinds.weight.grad.clone()
    assert not torch.allclose(grads[0], grads[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 64}, "make pictures of 32 pixels"),
        ({"mask_size": 6}, "4, 8, 16"),
        ({"d_strides": (2, 3, 2)}, "divide image_size"),
        ({"roi_after": 4}, "count blocks"),
        ({"lambda_img": 0.0, "lambda_obj": 0.0}, "nobody would learn"),
    ],
)
def test_settings_that_do_not_fit_are_explained(changes, message):
    with pytest.raises(CourseError, match=message):
        make(**changes)


def test_layouts_can_be_trained_on():
    data = load("layouts:8", image_size=32).take("real", "boxes", "kinds")
    cfg, run = lostgan.configure("smoke", data.fields), runtime.start("cpu", 0)
    assert (cfg.num_things, cfg.num_kinds) == (8, 8)
    log = lostgan.train_step(lostgan.build(cfg, run), data.batch(0, 8, run), run)
    assert all(value.isfinite() for value in log.values())

"""Files that no run wrote: each ends in a generator that works, or in one sentence."""

import copy
import functools
import json

import pytest
import torch

from gancourse import gans, trained
from gancourse.errors import CheckpointError, CourseError
from gancourse.files import statefile
from gancourse.gans import cgan, cyclegan, dcgan, pix2pix, stargan, vanilla
from gancourse.training import checkpoint, runtime

DEEP = 0
for _ in range(300):
    DEEP = [DEEP]
VALUES = [None, True, -1, 0, 3, 48, 10**9, 10**30, 1.5, float("nan"), float("inf"), "", "1"]
VALUES += ["\x1b[31m", [], {}, [[]], [2, 2], [0], [10**9], [64] * 1_000, DEEP]
DELETED = object()


def published(module, **changes):
    """Return the weights and the card that a run of the smoke preset publishes."""
    cfg = module.PRESETS["smoke"]
    gan = module.build(cfg, runtime.start("cpu", 0), **trained.frozen_for(module))
    states = {name: net.state_dict() for name, net in gan.generators().items()}
    card = {"model": module.__name__.rpartition(".")[2], "step": 0, "data": "digits", "seed": 0}
    inputs = {name: field.card() for name, field in module.inputs(cfg).items()}
    card |= {"config": checkpoint.describe(cfg) | changes, "fields": inputs}
    return states, card


def places(node, before=()):
    """Yield the path of every value in nested dicts and lists, the first two of a list."""
    inside = node.items() if isinstance(node, dict) else ()
    inside = list(enumerate(node))[:2] if isinstance(node, list) else inside
    for key, value in inside:
        yield (*before, key)
        yield from places(value, (*before, key))


def changed(card, path, value):
    card = copy.deepcopy(card)
    *before, last = path
    inside = card
    for key in before:
        inside = inside[key]
    if value is DELETED:
        del inside[last]
    else:
        inside[last] = value
    return card


@pytest.fixture
def load(monkeypatch):
    """A function that loads a generator from weights and a card, without a file.

    Networks of equal configurations are made once and copied, since spectral normalisation takes
    longer on the meta device than all the rest.
    """
    for module in {gans.find(name) for name in gans.names()}:
        made = functools.cache(lambda cfg, device, make=module.networks: make(cfg))
        copied = lambda cfg, made=made: copy.deepcopy(made(cfg, torch.get_default_device()))  # noqa: E731
        monkeypatch.setattr(module, "networks", copied)

    def load(states, card):
        header = {"card": card}
        read = lambda path, check: check(states, header) or (states, header)  # noqa: E731
        monkeypatch.setattr(statefile, "load", read)
        return trained.load("some.safetensors")

    return load


def long_for_its_shapes(content):
    """Return a file whose header gives one tensor more bytes than its shape needs."""
    size = int.from_bytes(content[:8], "little")
    entries = json.loads(content[8 : 8 + size])
    last = max(
        (n for n in entries if n != "__metadata__"), key=lambda n: entries[n]["data_offsets"]
    )
    entries[last]["data_offsets"][1] += 1000
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :] + bytes(1000)


@pytest.mark.parametrize("fault", ["other-shape", "no-weights", "card", "long"])
def test_no_weight_of_a_file_that_does_not_fit_is_read(tmp_path, monkeypatch, fault):
    states, card = published(vanilla)
    if fault == "other-shape":
        name = next(iter(states["netG"]))
        states["netG"][name] = torch.zeros(3, 3)
    states = {} if fault == "no-weights" else states
    card = card | {"model": "none"} if fault == "card" else card
    path = tmp_path / "g.safetensors"
    statefile.save(path, states, card=card)
    if fault == "long":
        path.write_bytes(long_for_its_shapes(path.read_bytes()))
    read = []
    monkeypatch.setattr(statefile, "from_bytes", lambda content: read.append(content) or {})
    with pytest.raises(CheckpointError):
        trained.load(path)
    assert not read


def outcome(load, states, card):
    """Load and draw; return the error, or None. Anything but a CourseError is raised."""
    try:
        g = load(states, card)
        repr(g)
        given = {name: g.fields[name].example(1) for name in g.given if name != "z"}
        assert g.sample(1, **given).isfinite().all()
    except CourseError as error:
        return str(error)


@pytest.mark.parametrize("name", gans.names())
def test_whatever_a_card_says_it_is_read_or_refused_in_one_sentence(load, name):
    states, card = published(gans.find(name))
    assert outcome(load, states, card) is None
    everywhere = list(places(card))
    assert {("config", name) for name in card["config"]} < {*everywhere}
    for i, path in enumerate(everywhere):
        for value in (DELETED, *VALUES[i % 8 :: 8]):  # an eighth, in turn
            said = outcome(load, states, changed(card, path, value))
            if said is not None:
                assert "some.safetensors" in said and said.isprintable(), (path, value)
                assert len(said) < 450, (path, value)


@pytest.mark.parametrize("name", gans.names())
def test_weights_that_are_not_the_networks_are_refused(load, name):
    states, card = published(gans.find(name))
    for net, state in states.items():
        key = max(state, key=lambda name: state[name].numel())
        weight = state[key]
        others = [weight.long(), weight.bool(), weight.to(torch.complex64), weight[None]]
        others += [weight.flatten(), weight[:0], torch.full_like(weight, torch.nan)]
        others += [torch.full_like(weight, torch.inf), torch.full_like(weight.double(), 1e300)]
        for other in (*others, 5, None, [1.0], {"a": weight}):
            said = outcome(load, states | {net: state | {key: other}}, card)
            assert said and "some.safetensors" in said, other
        rest = {name: value for name, value in state.items() if name != key}
        for other in (rest, rest | {"x": weight}, state | {"x": weight}, 5, None, [], {}):
            assert "some.safetensors" in outcome(load, states | {net: other}, card)
    for other in (None, 5, [], {}, {1: 2}, torch.zeros(3), states | {"netQ": {}}):
        assert "publishes" in outcome(load, other, card)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_fractions_of_any_precision_are_read_in_single(load, dtype):
    states, card = published(dcgan)
    other = {k: v.to(dtype) if v.is_floating_point() else v for k, v in states["netG"].items()}
    g = load({"netG": other}, card)
    assert all(p.dtype == torch.float32 for p in g.netG.parameters())


# Numbers that fit the weights, and ask for far more than the file has


def test_a_configuration_that_asks_for_more_than_the_file_has_allocates_nothing(load, monkeypatch):
    states, card = published(vanilla, latent_dim=16_384, g_hidden=[16_384] * 100)
    monkeypatch.setattr(trained, "frozen_for", None)  # is not reached
    with pytest.raises(CheckpointError, match="does not fit its configuration"):
        load(states, card)  # 26 billion numbers


@pytest.mark.parametrize(
    ("module", "changes", "says"),
    [
        (vanilla, {"g_hidden": [0]}, "g_hidden.0"),
        (vanilla, {"g_hidden": [64] * 10_000}, "at most 100 items"),
        (vanilla, {"sharpness": 3}, "another version"),
        (cgan, {"prior": "gamma"}, "'uniform' or 'normal'"),
        (cgan, {"num_classes": 0}, "num_classes"),
        (dcgan, {"image_size": 3}, "makes no networks"),
        (dcgan, {"image_size": 33}, r"expected \(1, 3, 33, 33\)"),
        (dcgan, {"kernel_size": 0}, "does not fit"),
        (dcgan, {"lr_g": float("nan")}, "lr_g"),
        (pix2pix, {"norm": "layer"}, "'instance' or 'batch'"),
        (pix2pix, {"image_size": 36}, "multiple of 8"),
        (cyclegan, {"g_blocks": 10**6}, "less than or equal to 100"),
        (cyclegan, {"g_downs": 100}, "makes no networks"),
        (stargan, {"label_kinds": ["colours", "classes"]}, "label_kinds.0"),
        (stargan, {"label_kinds": ["classes"]}, "makes no samples"),
        (stargan, {"label_sizes": [14]}, "does not fit"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(load, module, changes, says):
    states, card = published(module, **changes)
    with pytest.raises(CheckpointError, match=says):
        load(states, card)


def test_pictures_that_need_much_memory_are_refused(load):
    cfg = {
        "image_size": 1_024,
        "ngf": 64,
        "g_downs": 0,
        "g_blocks": 0,
        "g_kernel": 1,
        "d_layers": 1,
    }
    card = published(stargan, **cfg)[1]
    with torch.device("meta"):
        netG = stargan.Generator(stargan.Config(**stargan_config(card)))
    wide = {k: torch.zeros(v.shape) for k, v in netG.state_dict().items()}
    card = card | {"fields": {}}
    with pytest.raises(CheckpointError, match="at most 128 MB"):
        load({"netG": wide}, card)


def stargan_config(card):
    return {k: tuple(v) if isinstance(v, list) else v for k, v in card["config"].items()}


# What the card says of the inputs


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"kind": "Classes", "count": 11}, r"fields.labels is .*0\.\.10.*take.*0\.\.9"),
        ({"kind": "Classes", "count": 10, "names": ["a"]}, "as many names"),
        ({"kind": "Classes", "count": 10, "names": [1] * 10}, "names.0"),
        ({"kind": "Classes", "count": 0}, "count"),
        ({"kind": "Classes", "count": 10, "colour": "red"}, "another version"),
        ({"kind": "Flags", "sets": [["classes", ["a"]]]}, "the networks take"),
        ({"kind": ["Classes"]}, "kind: expected one of"),
    ],
)
def test_inputs_that_the_networks_do_not_take_are_refused(load, labels, says):
    states, card = published(cgan)
    with pytest.raises(CheckpointError, match=rf"some\.safetensors, fields\.labels.*{says}|{says}"):
        load(states, card | {"fields": {"labels": labels}})


def test_an_input_of_another_name_is_refused(load):
    states, card = published(vanilla)
    with pytest.raises(CheckpointError, match="no such input"):
        load(states, card | {"fields": {"mood": {"kind": "Points"}}})


def test_a_card_of_a_million_names_is_refused(load):
    states, card = published(cgan)
    with pytest.raises(CheckpointError, match="longer than"):
        load(states, card | {"classes": ["a"] * 10**6})


def test_text_of_a_card_is_shown_without_control_codes(load):
    states, card = published(vanilla)
    g = load(states, card | {"data": "\x1b[2Jdigits\n\u202e"})
    assert repr(g) == r"<vanilla trained on \x1b[2Jdigits\n\u202e, 0 steps>"


def test_samples_that_are_not_finite_are_no_samples(load):
    states, card = published(vanilla)
    huge = {name: weight * 1e38 for name, weight in states["netG"].items()}
    with pytest.raises(CourseError, match="not finite"):
        load({"netG": huge}, card).sample(4)

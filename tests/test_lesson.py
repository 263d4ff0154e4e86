"""What a notebook calls: checked here directly, and once in a kernel of its own."""

import inspect
import re
from dataclasses import replace

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from gancourse import exercises, gans, lesson
from gancourse.batch.lessons import CLAIM, PARAMETERS
from gancourse.errors import CourseError
from gancourse.exercises import Exercise
from gancourse.gans import dcgan, lsgan
from gancourse.training import runtime

VALUES = {"preset": "laptop", "seed": 0, "device": "cpu", "data": "ring", "out_dir": ""}


@pytest.fixture(autouse=True)
def unchanged_afterwards(monkeypatch):
    monkeypatch.delenv("GANCOURSE_PRESET", raising=False)
    monkeypatch.setattr(lesson, "_current", None)
    monkeypatch.setattr(lesson.plotting, "use_style", lambda: None)
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.fixture
def shown(monkeypatch):
    """The objects that were displayed."""
    objects = []
    monkeypatch.setattr(lesson, "display", objects.append)
    return objects


def test_setup_returns_and_prints_what_it_chose(capsys):
    made = lesson.setup(**VALUES | {"seed": 3})
    assert (made.preset, made.data, made.out_dir) == ("laptop", "ring", None)
    assert (made.run.seed, made.run.device.type) == (3, "cpu")
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert torch.__version__ in printed["gancourse"]
    assert printed["device"].startswith("cpu")
    assert printed["preset"] == "laptop"
    assert printed["seed"] == "3"


def test_setup_needs_every_parameter_of_a_lesson_and_nothing_else():
    signature = inspect.signature(lesson.setup).parameters.values()
    assert tuple(p.name for p in signature if p.default is p.empty) == PARAMETERS


def test_setup_hands_precision_and_memory_format_to_the_run_and_prints_them(capsys):
    made = lesson.setup(**VALUES, precision="bf16", channels_last=True)
    assert (made.run.precision, made.run.channels_last) == ("bf16", True)
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert printed["precision"] == "bf16, channels last"


def test_setup_computes_with_the_threads_that_a_lesson_asks_for_and_prints_them(capsys):
    before = torch.get_num_threads()
    try:
        lesson.setup(**VALUES, threads=3)
        assert torch.get_num_threads() == 3
        assert "3 threads" in capsys.readouterr().out
    finally:
        torch.set_num_threads(before)


def test_setup_prints_the_precision_that_auto_chose(capsys, monkeypatch):
    monkeypatch.setattr(runtime, "fast_precision", lambda device: "bf16")
    assert lesson.setup(**VALUES, precision="auto").run.precision == "bf16"
    assert "bf16" in capsys.readouterr().out


def test_setup_seeds_every_random_source():
    lesson.setup(**VALUES)
    first = torch.rand(2), np.random.rand(2)  # noqa: NPY002
    lesson.setup(**VALUES)
    assert torch.equal(torch.rand(2), first[0])
    assert (np.random.rand(2) == first[1]).all()  # noqa: NPY002


def test_setup_takes_a_number_of_modes_and_a_folder(tmp_path):
    made = lesson.setup(**VALUES | {"data": "ring:12", "out_dir": str(tmp_path)})
    assert (made.data, made.out_dir) == ("ring:12", tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("preset", "labtop", "smoke, laptop, paper"),
        ("data", "digit", "ring"),
        ("device", "gpu", "auto, cuda, mps, cpu"),
        ("seed", "3", "whole number"),
        ("precision", "fp8", "fp32, bf16, auto"),
    ],
)
def test_setup_refuses_an_unknown_value_and_lists_the_known_ones(name, value, remedy):
    with pytest.raises(CourseError) as refused:
        lesson.setup(**VALUES | {name: value})
    assert repr(value) in str(refused.value)
    assert remedy in str(refused.value)


def test_environment_replaces_the_default_preset_only(monkeypatch, capsys):
    monkeypatch.setenv("GANCOURSE_PRESET", "smoke")
    assert lesson.setup(**VALUES).preset == "smoke"
    assert "smoke (from GANCOURSE_PRESET)" in capsys.readouterr().out
    assert lesson.setup(**VALUES | {"preset": "paper"}).preset == "paper"


def test_environment_with_an_unknown_preset_is_named(monkeypatch):
    monkeypatch.setenv("GANCOURSE_PRESET", "small")
    with pytest.raises(CourseError, match=r"GANCOURSE_PRESET 'small'.*smoke, laptop, paper"):
        lesson.setup(**VALUES)


def test_pick_returns_the_value_of_the_preset():
    made = lesson.setup(**VALUES | {"preset": "smoke"})
    assert made.pick(smoke=1, laptop=2, paper=3) == 1


def test_a_file_is_no_folder_for_what_a_lesson_writes(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match=r"out_dir: cannot use .*no folder"):
        lesson.setup(**VALUES | {"out_dir": str(tmp_path / "file")})


def test_keep_gives_each_run_a_folder_of_its_own_and_none_without_out_dir(tmp_path):
    made = lesson.setup(**VALUES | {"out_dir": str(tmp_path)})
    assert made.keep("digits") == {"out_dir": tmp_path / "digits", "resume": True}
    assert lesson.setup(**VALUES).keep("digits") == {}


def test_settings_stand_beside_the_papers_with_their_comments(shown):
    paper = dcgan.PRESETS["paper"]
    lesson.show_settings(replace(paper, lr_g=1e-3, steps=1_200, betas=(0.0, 0.99)), paper)
    (settings,) = shown
    assert [row[:3] for row in settings.rows] == [
        ["lr_g", "0.001", "2e-4"],
        ["betas", "(0, 0.99)", "(0.5, 0.999)"],
        ["steps", "1,200", "68,350"],
    ]
    assert settings.rows[0][3] == "Adam's step size for G (section 4)"
    assert "lr_d 2e-4" in settings.caption
    assert "steps" not in settings.caption


def test_settings_of_a_part_that_the_paper_lacks_have_no_value_there(shown):
    paper = dcgan.PRESETS["paper"]
    lesson.show_settings(replace(paper, r1=10.0), paper)
    lesson.show_settings(replace(paper, ema_decay=0.9), paper)
    with_penalty, without = shown
    assert [row[:3] for row in with_penalty.rows] == [["r1", "10", "0"], ["r1_every", "8", ""]]
    assert all("r1_every" not in settings.caption for settings in shown)
    assert [row[0] for row in without.rows] == ["ema_decay"] and "r1 0" in without.caption


def test_settings_of_another_gan_are_refused():
    with pytest.raises(CourseError, match="one GAN"):
        lesson.show_settings(dcgan.PRESETS["paper"], lsgan.PRESETS["paper"])


@pytest.mark.parametrize("name", gans.names())
def test_settings_of_every_gan_have_a_comment(shown, name):
    presets = gans.find(name).PRESETS
    lesson.show_settings(presets["smoke"], presets["paper"])
    assert all(row[3] for row in shown[0].rows)


@pytest.mark.parametrize("condition", [True, np.True_, np.bool_(True), torch.tensor(True)])
def test_claim_that_holds(shown, condition):
    assert lesson.claim("all modes are covered", condition, 8)
    bundle = shown[0].bundle
    assert bundle["text/plain"] == "✓ all modes are covered: 8"
    assert bundle[CLAIM] == {"text": "all modes are covered", "holds": True, "value": 8}


def test_the_text_of_a_claim_is_text(shown):
    lesson.claim(123, True, 8)
    assert shown[0].bundle[CLAIM]["text"] == "123"


def test_claim_that_fails_is_shown_and_returned(shown):
    assert lesson.claim("a < b", torch.tensor(False), torch.tensor(0.125)) == False  # noqa: E712
    bundle = shown[0].bundle
    assert bundle["text/plain"] == "✗ a < b: 0.125"
    assert "a &lt; b" in bundle["text/html"]
    assert bundle[CLAIM] == {"text": "a < b", "holds": False, "value": 0.125}


@pytest.mark.parametrize("condition", [True, False])
def test_claim_is_not_judged_in_smoke(shown, condition):
    lesson.setup(**VALUES | {"preset": "smoke"})
    assert lesson.claim("all modes are covered", condition, 2) is None
    bundle = shown[0].bundle
    assert bundle["text/plain"].startswith("– all modes are covered: 2")
    assert bundle[CLAIM]["holds"] is None


def test_claim_shows_four_digits_and_keeps_all(shown):
    lesson.claim("close", True, 0.123456)
    bundle = shown[0].bundle
    assert bundle["text/plain"].endswith(" 0.1235")
    assert bundle[CLAIM]["value"] == 0.123456


def test_claim_value_that_json_cannot_hold_becomes_text(shown):
    lesson.claim("finite", False, float("nan"))
    assert shown[0].bundle[CLAIM]["value"] == "nan"


def test_claim_refuses_a_condition_that_is_a_measurement():
    with pytest.raises(CourseError, match=r"0\.9"):
        lesson.claim("swapped", 0.9, True)


@pytest.fixture
def ex(monkeypatch):
    def checker(answer):
        yield "it is positive"
        assert answer > 0, "it is not"
        yield "it is even"
        assert answer % 2 == 0

    made = Exercise("9.1", "An even number", checker, answer=2, why="Twice one.")
    monkeypatch.setattr(exercises, "find", lambda number: {"9.1": made}[number])
    return made


@pytest.mark.parametrize(
    ("answer", "right", "text"),
    [
        (2, True, "✓ 9.1 An even number\n✓ it is positive\n✓ it is even"),
        (1, False, "✗ 9.1 An even number\n✓ it is positive\n✗ it is even"),
        (-1, False, "✗ 9.1 An even number\n✗ it is positive: it is not"),
        ("2", False, "✗ 9.1 An even number\n✗ it is positive: TypeError: "),
        (None, False, "– 9.1 An even number: not yet: "),
    ],
)
def test_check_shows_each_property_up_to_the_one_that_fails(shown, ex, answer, right, text):
    assert bool(lesson.check("9.1", answer)) is right
    bundle = shown[0].bundle
    assert bundle["text/plain"].replace("\N{EM SPACE}", "").startswith(text)
    assert bundle[lesson.CHECK] == {
        "number": "9.1",
        "written": answer is not None,
        "passed": right,
    }


def test_solution_of_a_value_is_folded_and_gives_its_reason(shown, ex):
    lesson.solution("9.1")
    folded = "<details><summary>Solution 9.1: An even number</summary>\n\n`2`\n\nTwice one."
    assert shown[0].bundle["text/markdown"].startswith(folded)


def registered(function):
    return function


@registered
def half(x):
    return x / 2


def test_solution_of_a_function_is_its_source_without_the_decorator(shown, ex):
    ex.answer = half
    lesson.solution("9.1")
    assert "````python\ndef half(x):\n    return x / 2\n````" in shown[0].bundle["text/markdown"]


def test_show_names_file_and_line_relative_to_the_package(shown):
    lesson.show(lesson.Lesson.pick)
    line = inspect.getsourcelines(lesson.Lesson.pick)[1]
    assert (
        shown[0]
        .bundle["text/markdown"]
        .startswith(f"`gancourse/lesson.py:{line}`\n\n````python\ndef pick(self,")
    )


def test_show_takes_modules_packages_and_other_libraries(shown):
    lesson.show(lesson)
    lesson.show(exercises)
    lesson.show(torch.nn.Linear)
    places = [output.bundle["text/markdown"].partition("\n")[0] for output in shown]
    assert places[0] == "`gancourse/lesson.py:1`"
    assert places[1] == "`gancourse/exercises/__init__.py:1`"
    assert places[2].startswith("`torch/nn/modules/linear.py:")


def test_show_looks_behind_decorators_and_properties(shown):
    lesson.show(torch.no_grad()(half))
    lesson.show(exercises.Result.passed)
    assert "def half(x)" in shown[0].bundle["text/markdown"]
    assert "def passed(self)" in shown[1].bundle["text/markdown"]


@pytest.mark.parametrize("thing", [3, len, "text"])
def test_show_refuses_what_has_no_source(thing):
    with pytest.raises(CourseError, match=re.escape(repr(thing))):
        lesson.show(thing)


CELLS = [
    'preset = "smoke"; seed = 0; device = "cpu"; data = "ring"; out_dir = ""',
    "from gancourse.lesson import check, claim, setup, show, solution\n"
    "lesson = setup(preset=preset, seed=seed, device=device, data=data, out_dir=out_dir)",
    'claim("all modes are covered", True, 8)',
    'lesson = setup(preset="paper", seed=0, device=device, data=data, out_dir="")\n'
    'claim("all modes are covered", False, 7)',
    "def mine(x):\n    return x\n\n\nshow(mine)",
    "class Net:\n    pass\n\n\nshow(Net)",
]


@pytest.fixture(scope="module")
def executed():
    """The outputs of each of CELLS in a fresh kernel."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(book, kernel_name="python3").execute()
    return [cell.outputs for cell in book.cells]


def test_kernel_setup_prints_one_block_and_echoes_nothing(executed):
    assert [output.output_type for output in executed[1]] == ["stream"]


def test_kernel_claim_is_one_output_that_is_not_echoed(executed):
    for outputs, holds in [(executed[2], None), (executed[3][1:], False)]:
        (output,) = outputs
        assert output.output_type == "display_data"
        assert set(output.data) == {"text/plain", "text/html", CLAIM}
        assert output.data[CLAIM]["holds"] is holds


def test_kernel_show_says_what_is_defined_in_the_notebook(executed):
    for outputs, text in [(executed[4], "def mine(x)"), (executed[5], "Net")]:
        markdown = outputs[0].data["text/markdown"]
        assert markdown.startswith("`defined in this notebook`")
        assert text in markdown


def test_results_that_ship_are_those_of_the_lessons_own_grid():
    """Each network of the grid has run with each seed, and every number is one."""
    grid = lesson.measured("grid")
    runs = {(run["design"], run["loss"], run["seed"]): run for run in grid["runs"]}
    seeds = {seed for *_, seed in runs}
    assert len(runs) == len(grid["runs"]) == 4 * 3 * len(seeds)
    assert all(0 < run["fid"] < 2 * run["before"] for run in runs.values())


def test_unknown_results_are_an_error_that_names_the_known_ones():
    with pytest.raises(CourseError, match="grid"):
        lesson.measured("grit")

"""Finding lessons and reading what a notebook says about itself."""

import subprocess
import sys

import pytest

from gancourse.batch.lessons import find, parameters, read
from gancourse.errors import CourseError


@pytest.mark.parametrize("name", ["01", "1", "vanilla_gan", "01_vanilla_gan"])
def test_a_lesson_is_found_by_number_or_name(lessons, name):
    assert find([name]) == lessons[:1]


def test_all_means_each_lesson_once(lessons):
    assert find(["02", "all"]) == lessons[::-1]


def test_a_notebook_of_ones_own_is_found_by_its_path(lessons, tmp_path, write):
    own = write(tmp_path, "own", "1")
    assert find([str(own)]) == [own]


@pytest.mark.parametrize("name", ["03", "vanila_gan", "nowhere.ipynb"])
def test_an_unknown_lesson_is_refused(lessons, name):
    with pytest.raises(CourseError, match=name):
        find([name])


def test_the_refusal_lists_the_known_lessons(lessons):
    with pytest.raises(CourseError) as refused:
        find(["03"])
    assert all(name in str(refused.value) for name in ("01_vanilla_gan", "02_dcgan", "all"))


def test_two_notebooks_of_one_name_are_refused(lessons, tmp_path, write):
    copy = write(tmp_path, lessons[0].stem, "1")
    with pytest.raises(CourseError, match=copy.stem):
        find(["01", str(copy)])


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "text.ipynb").write_text("not JSON", encoding="utf-8")
    with pytest.raises(CourseError, match=r"text\.ipynb"):
        read(tmp_path / "text.ipynb")


def test_parameters_are_read_with_their_types(lessons):
    assert parameters(read(lessons[0])) == {
        "preset": "laptop",
        "seed": 0,
        "rate": 0.5,
        "fast": False,
        "device": "auto",
        "data": "digits",
        "out_dir": "",
    }


def test_a_request_is_checked_without_importing_pytorch(tmp_path):
    code = (
        "import sys; from gancourse.batch import execute, lessons;"
        "given = {'seed': '1', 'preset': 'smoke'};"
        f"execute.prepare(lessons.find(['01']), given, {str(tmp_path)!r});"
        "print({'torch', 'papermill', 'nbconvert'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr

"""Several runs of a lesson: by values of a parameter, one by one, side by side, and in a bucket."""

import csv
import json
import logging
import re
import sys
import time

import nbformat
import papermill
import pytest
from click.testing import CliRunner
from written import claim, executed, leave, shows

from gancourse.batch import cluster, lessons, runs
from gancourse.batch.parameters import Parameter, combinations
from gancourse.cli import main
from gancourse.errors import CourseError

LESSON = (
    "from gancourse.lesson import claim\nfrom gancourse.plotting import table",
    "claim('the seed is small', seed < 2, seed + .5)",
    "display(table(['what', 'value'], [['seed', f'{seed}.0 ± 0.3'], ['name', 'x']]))",
)
FAILS = "if seed == 1 and not __import__('os').path.exists('mended'): raise ValueError('one')"


def invoke(*arguments):
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def test_a_number_may_have_several_values_and_a_text_may_have_commas():
    known = {"seed": Parameter(0, (int,)), "rate": Parameter(0.1, (float,)), "data": Parameter("")}
    known["preset"] = Parameter("laptop", (str,))
    given = {"seed": "0, 1", "rate": "0.5", "data": "pairs:a,b", "preset": "smoke,laptop"}
    found = combinations(given, known)
    assert [name for name, _ in found] == [
        f"seed={seed}_preset={preset}" for seed in (0, 1) for preset in ("smoke", "laptop")
    ]
    assert found[0][1] == given | {"seed": "0", "preset": "smoke"}
    assert combinations({"seed": "3"}, known) == [("", {"seed": "3"})]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("seed", "0,1,0", "'0' is there twice"),
        ("seed", "0,00", "'0' is there twice"),
        ("rate", "1, 1.0", "'1' is there twice"),
        ("preset", "smoke,smoke", "'smoke' is there twice"),
        ("preset", "smoke,../../../evil", "cannot be one of several values"),
        ("preset", "smoke,", "cannot be one of several values"),
        ("preset", "smoke,a\nb", "cannot be one of several values"),
        ("seed", "1,0#/../../evil", "cannot be one of several values"),
        ("seed", "0,x", "a whole number, not 'x'"),
        ("rate", "0,nan", "finite numbers"),
    ],
)
def test_several_values_name_different_folders_in_the_output_folder(name, text, says):
    known = {"seed": Parameter(0, (int,)), "rate": Parameter(0.1, (float,))}
    known["preset"] = Parameter("laptop", (str,))
    with pytest.raises(CourseError, match=re.escape(says)):
        combinations({name: text}, known)


def test_a_parameter_that_is_there_twice_is_refused(lessons, tmp_path):
    twice = ("-p", "seed", "1", "-p", "seed", "2")
    result = invoke(lessons[0], *twice, "--out", tmp_path / "out")
    assert result.exit_code == 2 and "-p 'seed' is there twice" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def swept(tmp_path_factory, write):
    """Three runs of a lesson by two workers, of which one fails; then only what is missing."""
    folder = tmp_path_factory.mktemp("swept")
    path, out = write(folder, "01_lesson", *LESSON, FAILS), folder / "out"
    arguments = (path, "-p", "seed", "0,1,2", "-p", "preset", "laptop", "--out", out)
    first = invoke(*arguments, "--workers", "2")
    (folder / "mended").touch()
    stamps = [(out / f"seed={n}" / "01_lesson.ipynb").stat().st_mtime_ns for n in (0, 2)]
    again = invoke(*arguments, "--missing")
    kept = [(out / f"seed={n}" / "01_lesson.ipynb").stat().st_mtime_ns for n in (0, 2)]
    return first, again, out, stamps == kept


def test_what_succeeded_is_kept_when_one_run_fails(swept):
    first, _, out, _ = swept
    assert first.exit_code == 1, first.output
    assert "01_lesson seed=1  5/6 cells" in first.stdout and "ValueError: one" in first.stderr
    assert first.stdout.count("6/6 cells") == 2
    for number in (0, 1, 2):
        assert (out / f"seed={number}" / "claims.json").is_file()


def test_started_again_only_what_is_missing_is_done(swept):
    _, again, _, untouched = swept
    assert again.exit_code == 0, again.output
    assert untouched and again.stdout.count("is done already") == 2
    assert again.stdout.count("6/6 cells") == 1


def test_claims_and_tables_of_all_runs_are_collected_with_mean_and_spread(swept):
    _, _, out, _ = swept
    rows = list(csv.DictReader((out / "runs.csv").open(encoding="utf-8")))
    assert [(row["run"], row["holds"], row["value"]) for row in rows] == [
        ("seed=0", "True", "0.5"),
        ("seed=1", "True", "1.5"),
        ("seed=2", "False", "2.5"),
    ]
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "2 of 3" in page and "1.50 ± 1.00" in page
    assert "<td>1.00 ± 1.00</td>" in page and "<td>x</td>" in page
    assert './seed=1/01_lesson.html"' in page.replace("%3D", "=")


def test_changed_lessons_and_changed_outputs_are_not_done(tmp_path, write):
    path, out = write(tmp_path, "mine", "seed"), tmp_path / "out"
    arguments = (path, "--out", out, "-p", "seed", "1")
    assert invoke(*arguments).exit_code == 0
    assert "is done already" in invoke(*arguments, "--missing").stdout
    other = invoke(path, "--out", out, "-p", "seed", "2", "--missing")
    assert "3/3 cells" in other.stdout
    book = lessons.read(path)
    book.cells[-1].source = "seed + 1"
    nbformat.write(book, path)
    assert "3/3 cells" in invoke(path, "--out", out, "-p", "seed", "2", "--missing").stdout


def test_a_scheduler_that_answers_gets_what_is_missing(tmp_path, write):
    distributed = pytest.importorskip("distributed")
    # A claim as a lesson shows it, without the seconds that importing PyTorch takes.
    place = "__import__('os').environ.get('PLACE') == 'worker'"
    shown = f"{{'text': 'a worker ran this', 'holds': {place}, 'value': seed}}"
    mine = f"display({{'{lessons.CLAIM}': {shown}, 'text/plain': ''}}, raw=True)"
    path, out = write(tmp_path, "mine", mine), tmp_path / "out"
    books = [out / f"seed={seed}" / "mine.ipynb" for seed in (0, 1)]
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
        env={"PLACE": "worker"},
    ) as cluster:
        arguments = (path, "-p", "seed", "0,1", "--out", out, "--missing")
        arguments += ("--scheduler", cluster.scheduler_address)
        first = invoke(*arguments)
        stamps = [book.stat().st_mtime_ns for book in books]
        again = invoke(*arguments)
    assert first.exit_code == 0, first.output
    assert first.stdout.count("3/3 cells") == 2
    rows = csv.DictReader((out / "runs.csv").open(encoding="utf-8"))
    found = [(row["run"], row["holds"], row["value"]) for row in rows]
    assert found == [("seed=0", "True", "0"), ("seed=1", "True", "1")]
    assert again.exit_code == 0, again.output
    assert again.stdout.count("is done already") == 2
    assert [book.stat().st_mtime_ns for book in books] == stamps


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, write, monkeypatch):
    monkeypatch.setattr("gancourse.batch.cluster.PATIENCE", 1)
    path = write(tmp_path, "mine", "1")
    result = invoke(path, "--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")
    assert result.exit_code == 2 and "dask scheduler" in result.stderr
    assert result.stderr.startswith("connecting to tcp://127.0.0.1:9; it has 1 s to answer\n")


@pytest.mark.parametrize("port", ["99999", "0", "9" * 5_000])
def test_a_scheduler_that_cannot_be_is_refused_at_once(tmp_path, write, port):
    path, start = write(tmp_path, "mine", "1"), time.monotonic()
    result = invoke(path, "--out", tmp_path / "out", "--scheduler", f"tcp://127.0.0.1:{port}")
    assert result.exit_code == 2 and "dask scheduler" in result.stderr
    assert time.monotonic() - start < 15 < cluster.PATIENCE


def test_without_dask_the_remedy_is_named(tmp_path, write, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = invoke(write(tmp_path, "mine", "1"), "--out", tmp_path / "out", "--workers", "2")
    assert result.exit_code == 2 and "pip install distributed" in result.stderr


def test_a_page_that_is_not_ours_is_kept(tmp_path, write):
    path, out = write(tmp_path, "mine", "1"), tmp_path / "out"
    out.mkdir()
    (out / "runs.csv").write_text("mine\n", encoding="utf-8")
    result = invoke(path, "--out", out, "-p", "seed", "0,1")
    assert result.exit_code == 2 and "runs.csv would be overwritten" in result.stderr


@pytest.mark.parametrize(
    "cells", [["1e999", "2e999"], ["1e308", "1.7e308"], ["1e308", "-1.7e308"], ["9" * 400, "1"]]
)
def test_numbers_beyond_the_range_of_floats_are_texts(tmp_path, cells):
    for number, cell in enumerate(cells):
        (tmp_path / f"seed={number}").mkdir()
        notebook = executed(shows({"text/html": f"<table><tr><td>{cell}</td></tr></table>"}))
        leave(notebook, tmp_path / f"seed={number}" / "mine.ipynb")
    runs.collect(tmp_path)
    assert runs.together(cells) == "2 different texts"
    assert (tmp_path / "index.html").is_file()


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<table>" * 1_000 + "<tr><td>a</td></tr>" + "</table>" * 1_000, [[["a"]]]),
        ("<table><tr>" + "<td>" * 3_000 + "a</table>", [[["a"]]]),
        (
            "<table><tr><td><table><tr><td>a</td></tr></table></td><td>b</td></tr></table>",
            [[["a"]]],
        ),
        ("<table><tr><th>a</th></tr><tr><td>1</td></tr></table>" * 2, [[["a"], ["1"]]] * 2),
        ("<table><tr><td>a</td></tr><![foo bar]></table>", [[]]),
        ("<table><tr><td>" + "<a " * 100_000 + "</td></tr></table>", [[]]),
        ("<TABLE><TR><TD>a</TD></TR></TABLE>", [[["a"]]]),
        ("<b>no table</b>", []),
    ],
    ids=["deep", "open cells", "layout", "two", "rejected", "large", "capitals", "none"],
)
def test_of_tables_in_tables_the_inner_ones_are_read(html, expected):
    assert runs.tables_of(executed(shows({"text/html": html}))) == expected


def test_texts_that_differ_and_formulas_are_not_averaged(tmp_path):
    for number, value in enumerate(("=1+1", "up")):
        folder = tmp_path / f"seed={number}"
        folder.mkdir()
        html = f"<table><tr><th>a</th></tr><tr><td>{value}</td></tr></table>"
        book = executed(claim("=cmd", None, value), shows({"text/html": html}))
        nbformat.write(book, folder / "x.ipynb")
    runs.collect(tmp_path)
    assert "<td>2 different texts</td>" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "'=cmd" in (tmp_path / "runs.csv").read_text(encoding="utf-8")


def test_papermill_writes_a_lesson_into_a_bucket(tmp_path, write, monkeypatch):
    boto3, server = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    bucket = server.ThreadedMotoServer("127.0.0.1", 0)
    bucket.start()
    try:
        host, port = bucket.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        store = boto3.client("s3")
        store.create_bucket(Bucket="course")
        path = write(tmp_path, "lesson", "print(seed)")
        options = {"kernel_name": "python3", "language": "python", "progress_bar": False}
        papermill.execute_notebook(path, "s3://course/out.ipynb", {"seed": 7}, **options)
        text = store.get_object(Bucket="course", Key="out.ipynb")["Body"].read()
        assert json.loads(text)["cells"][-1]["outputs"][0]["text"] == ["7\n"]
    finally:
        bucket.stop()


def test_a_defect_in_one_job_does_not_stop_the_others(tmp_path, write, monkeypatch):
    paths = [write(tmp_path, name, "1") for name in ("first", "second")]

    def run(job):
        if job.name == "first":
            raise TypeError("what nobody expected")
        return tmp_path / "second.ipynb", None

    monkeypatch.setattr(cluster.execute, "run", run)
    jobs = cluster.execute.prepare(paths, {}, tmp_path / "out")
    (_, none, problem), (_, path, nothing) = cluster.results(jobs)
    assert none is None and "TypeError: what nobody expected" in problem
    assert path.name == "second.ipynb" and nothing == ""


def test_a_scheduler_that_does_not_answer_leaves_no_folder(tmp_path, write):
    out = tmp_path / "out"
    path = write(tmp_path, "mine", "1")
    result = invoke(path, "--out", out, "--scheduler", "tcp://127.0.0.1:99999")
    assert result.exit_code == 2 and "no Dask scheduler answers" in result.stderr
    assert not out.exists()

"""What the documents say is so: messages and their keys, commands, options, links, and the Python in them."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from edge_app.app.cli import _parser
from edge_app.app.settings import load_settings
from edge_app.ranker.labels.label import parse_labels
from tests.app.bridges.conftest import Stream, stream  # noqa: F401
from tests.examples.test_scripts import SQUAT, drawn_video
from tests.running import SQUATS
from train.__main__ import VERBS

ROOT = Path(__file__).parents[1]
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "edge_app/stream/schemas").glob("*.json")}
KINDS = sorted({name.partition("-")[0] for name in SCHEMAS})
COMMON, *SECTIONS = re.split(r"^## ", (ROOT / "docs/messages.md").read_text(), flags=re.M)
PAGES = sorted(
    str(path.relative_to(ROOT)) for folder in (".", "docs", "examples", "examples/ros2", "benchmarks")
    for path in (ROOT / folder).glob("*.md")
)  # fmt: skip
COMMANDS = [page for page in PAGES if re.search(r"```sh\n[^`]*edge-app [a-z]", (ROOT / page).read_text())]
TRAINING = [page for page in PAGES if re.search(r"```sh\n[^`]*python -m (train|export)", (ROOT / page).read_text())]
README = (ROOT / "README.md").read_text()
PAGE = {section.partition("\n")[0]: section for section in SECTIONS}


def explained(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \| \S", text, flags=re.M))


def keys(schema: dict, within: str = "") -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield within + name
        yield from keys(inner, f"{within}{name}.")
        yield from keys(inner.get("items", {}), f"{within}{name}[].")
        yield from keys(inner.get("additionalProperties", {}), f"{within}{name}.*.")


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_explained_and_no_other(kind):
    expected = {key for name, schema in SCHEMAS.items() if name.startswith(f"{kind}-") for key in keys(schema)}
    found, common = explained(PAGE[kind]), explained(COMMON)
    assert expected - common - found == set(), "not explained"
    assert found - expected == set(), "no such key"


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_hold(kind):
    examples = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE[kind], flags=re.S)]
    assert examples
    for example in examples:
        name = example["schema"].replace("/", "-")
        assert name.startswith(f"{kind}-")
        jsonschema.validate(example, SCHEMAS[name], cls=jsonschema.Draft202012Validator)


def anchors(page: Path) -> set[str]:
    """The places within a page that a link may name, as GitHub makes them from headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        file, _, place = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert "://" in link or target.exists(), link
        assert not place or "://" in link or place in anchors(target), link


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_files_and_modules_that_it_names_are_there(page):
    text = (ROOT / page).read_text()
    for path in re.findall(r"`((?:edge_app|train|export|tests|benchmarks|docs|configs|examples)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(test_\w+\.py)`", text):
        assert (ROOT / "tests/security" / name).exists(), name
    for module in re.findall(r"`(edge_app(?:\.[a-z]\w*)+)`", text):
        pkgutil.resolve_name(module)


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            waiting += [
                (page.parent / link).resolve()
                for link in re.findall(r"\]\(([^)#\s]+)", page.read_text())
                if "://" not in link
            ]
    assert {ROOT / page for page in PAGES} - reached == set()


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


def commands(page: str) -> Iterator[str]:
    """Every edge-app command of the page's shell blocks, without what it is piped into."""
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), flags=re.S):
        yield from re.findall(r"(?<![\w/.-])edge-app ((?:'[^']*'|\"[^\"]*\"|[^'\"|;&#\n])+)", block)


def test_what_it_costs_is_what_the_benchmarks_measured():
    """In the README and on the page of the pose."""
    pages = README + (ROOT / "docs/pose.md").read_text()
    ours, theirs = (
        json.loads((ROOT / f"benchmarks/bench-xeon-2cores-pose-{pose}.json").read_text())
        for pose in ("auto", "mediapipe")
    )
    for p in ("p50", "p99"):
        stages = [f"{row[f'{p}_ms']:.1f}" for row in ours["stages"].values()]
        assert f"| {p} | {' | '.join(stages)} | {ours['glass_to_label'][f'{p}_ms']:.0f} |" in README
    for place in ("pose", "glass_to_label"):
        cells = [(r["stages"] | r)[place] for r in (theirs, ours)]
        shown = [f"{cell['p50_ms']:.1f} / {cell['p99_ms']:.1f} ms" for cell in cells]
        ratio = " / ".join(f"{cells[1][p] / cells[0][p]:.2f}" for p in ("p50_ms", "p99_ms"))
        assert f", p50 / p99 | {' | '.join(shown)} | {ratio} |" in pages
    look, label = theirs["stages"]["pose"]["p50_ms"], theirs["glass_to_label"]["p50_ms"]
    assert f"a look takes {look:.1f} ms and the label {label:.0f}." in README
    minute = json.loads((ROOT / "benchmarks/camera-minute.json").read_text())["paths"]
    live, every = (minute[path]["processor_s"] for path in ("ours, as live", "MediaPipe, every frame"))
    assert f"takes {live:.0f} seconds of one core, and {every:.0f} with MediaPipe" in README
    assert f"| **{live}** |" in pages and f"| {every} |" in pages


@pytest.mark.parametrize("page", COMMANDS)
def test_commands_are_understood(page):
    for command in commands(page):
        arguments = _parser().parse_args(shlex.split(command))
        load_settings(None, getattr(arguments, "assignments", ()))
        given = getattr(arguments, "labels", None) or []
        for labels in [given] if isinstance(given, str) else given:
            assert labels.endswith(".txt") or parse_labels(labels)


@pytest.mark.parametrize("page", TRAINING)
def test_commands_of_training_and_export_are_understood(page):
    """Parsed as far as they are written out: `…` stands for more."""
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text().replace("\\\n", " "), flags=re.S):
        for package, command in re.findall(r"python -m (train|export) ([^#&;|\n]+)", block):
            verb, *arguments = shlex.split(command)
            if "…" in arguments:
                continue
            name = VERBS[verb][0] if package == "train" else f"export.{verb}"
            parser = argparse.ArgumentParser()
            importlib.import_module(name).add_arguments(parser)
            parser.parse_args(arguments)


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.S)


def test_the_python_page_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    """With a video of the drawn person and a recording in the reader's folder, and nobody who publishes."""
    shutil.copy(SQUATS, tmp_path / "me.mcap")
    drawn_video(SQUAT, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    program = "\n".join(blocks("docs/python.md")).replace("tcp://127.0.0.1:5757", f"ipc://{tmp_path}/nobody")
    exec(compile(program, "docs/python.md", "exec"), {})
    said = capsys.readouterr().out
    for line in ("('wave', 'squat', 'clap')", "start squat 0.", "squat began at ", "nobody publishes: stale"):
        assert f"\n{line}" in f"\n{said}"
    assert "wave" in said.partition("once")[0], "the refused list"


def test_the_readmes_ten_lines_run_on_a_video_in_the_place_of_a_webcam():
    command = [sys.executable, "tests/examples/ten_lines.py", "README.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_the_readmes_ten_lines_read_a_stream(stream: Stream):  # noqa: F811
    (program,) = [block for block in blocks("README.md") if "Subscriber(" in block]
    assert len(program.splitlines()) <= 10
    program = program.replace("tcp://127.0.0.1:5757", stream.endpoint)
    heard = threading.Event()

    def act() -> None:
        while not heard.wait(0.05):  # the first go by before the reader has come
            stream.state("running", open_n=(1,))
            stream.action("update")

    actor = threading.Thread(target=act)
    with subprocess.Popen([sys.executable, "-uc", program], stdout=subprocess.PIPE, text=True) as reader:
        try:
            actor.start()
            first = reader.stdout.readline()
            heard.set()
            actor.join()
            stream.stop()
            rest: set[str] = set()
            while not {"end", "nothing"} <= rest:
                rest.add(reader.stdout.readline().split()[0])
        finally:
            heard.set()
            reader.kill()
    assert re.fullmatch(r"update wave 0\.625 [\d.]+ ms old\n", first)

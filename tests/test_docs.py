"""docs/messages.md explains every key of every JSON Schema and no other, with examples that hold."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from edge_app.app.cli import _parser
from edge_app.app.settings import load_settings
from train.__main__ import VERBS

ROOT = Path(__file__).parents[1]
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "edge_app/stream/schemas").glob("*.json")}
KINDS = sorted({name.partition("-")[0] for name in SCHEMAS})
COMMON, *SECTIONS = re.split(r"^## ", (ROOT / "docs/messages.md").read_text(), flags=re.M)
COMMANDS = [
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("quickstart-*.md")),
    "docs/gallery.md", "docs/growth.md", "docs/troubleshooting.md", "examples/ros2/README.md", "README.md",
]  # fmt: skip
PAGES = ["docs/messages.md", "docs/how-it-works.md", "examples/README.md", *COMMANDS]
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


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text()):
        assert "://" in link or (ROOT / page).parent.joinpath(link).exists(), link


def commands(page: str) -> Iterator[str]:
    """Every edge-app command of the page's shell blocks, without what it is piped into."""
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), flags=re.S):
        yield from re.findall(r"(?<![\w/.-])edge-app ((?:'[^']*'|\"[^\"]*\"|[^'\"|;&#\n])+)", block)


@pytest.mark.parametrize("page", COMMANDS)
def test_commands_are_understood(page):
    assert list(commands(page))
    for command in commands(page):
        arguments = _parser().parse_args(shlex.split(command))
        load_settings(None, getattr(arguments, "assignments", ()))


@pytest.mark.parametrize("page", [page for page in COMMANDS if "python -m " in (ROOT / page).read_text()])
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

"""What `import edge_app` offers: documented in full, and every example in a docstring is true."""

from __future__ import annotations

import doctest
import inspect
import re
import subprocess
import sys
from importlib import import_module

import pytest

import edge_app
from edge_app.client import Message
from edge_app.types import Reason

MODULES = ["edge_app.camera", "edge_app.client", "edge_app.recognizer", "edge_app.types"]
PUBLIC = [*(getattr(edge_app, name) for name in edge_app.__all__), Message, Reason]


def members() -> list[object]:
    """Every public class and function, and the public methods of the classes."""
    found: list[object] = list(PUBLIC)
    for each in filter(inspect.isclass, PUBLIC):
        found += [value for name, value in vars(each).items() if inspect.isfunction(value) and name[0] != "_"]
    return found


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_are_true(module):
    result = doctest.testmod(import_module(module))
    assert result.attempted >= 2 and result.failed == 0


@pytest.mark.parametrize("member", members(), ids=lambda member: member.__qualname__)
def test_it_says_what_goes_in_and_what_comes_out(member):
    text = inspect.getdoc(member)
    assert text
    if inspect.isclass(member) and hasattr(member, "__dataclass_fields__"):
        described, names = "Attributes:", list(member.__dataclass_fields__)
    else:
        described, signature = "Args:", inspect.signature(member)
        names = [name for name in signature.parameters if name != "self"]
        if not inspect.isclass(member) and signature.return_annotation != "None":
            assert "Returns:" in text
    for name in names:
        assert re.search(rf"^ +{name}: ", text.partition(described)[2], flags=re.M), name


def test_importing_it_needs_the_standard_library_alone():
    code = "import sys, edge_app; sys.exit(' '.join({'numpy', 'cv2', 'zmq', 'mediapipe'} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def test_it_lists_what_it_offers_and_nothing_else_is_there():
    assert set(edge_app.__all__) <= set(dir(edge_app))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        edge_app.nothing_of_the_kind  # noqa: B018

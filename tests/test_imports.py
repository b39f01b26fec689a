"""Who may import whom: the stages in their order, the program on top of them, and nothing of training on a device."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("camera", "pose", "track", "window", "encoder", "ranker", "events", "stream")
COMMON = {"types", "errors", "bundles", "runtime", "window.skeleton"}
"""For every stage. What has a dot is one module, what has none is all that is in it."""

MAY_IMPORT: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "client": set(),
    "bundles": {"errors", "window.skeleton"},
    "runtime": {"errors", "bundles"},
    **{stage: COMMON | set(STAGES[:place]) for place, stage in enumerate(STAGES)},
    "recognizer": COMMON | set(STAGES),
    "__init__": COMMON | set(STAGES) | {"recognizer", "client"},
    "__main__": {"app.cli"},
    "app": COMMON | set(STAGES) | {"recognizer", "client", "__init__"},
}
MAY_IMPORT["ranker"] -= {"encoder"}  # a ranker sees features, whoever made them

EXCEPTIONS = {
    # A remote camera is heard over the same kind of socket, with the same kind of keys, as the stream.
    ("camera.remote", "stream.auth"),
    ("camera.remote", "stream.endpoint"),
    ("camera.remote", "client"),
    ("runtime.triton", "stream.endpoint"),  # where a Triton server may be, by the rules of the stream's addresses
    ("bundles.bundle", "ranker.labels.label"),  # labels are data of the bundle
    # The client is one file that can be copied, so what it shares with others stands in it.
    ("bundles.signing", "client"),
    ("stream.control", "client"),
    ("stream.keys", "client"),
    ("stream.messages", "client"),
    ("stream.publisher", "client"),
}


@cache
def modules() -> dict[str, ast.Module]:
    """All of edge_app parsed, by names without `edge_app.`; the `__init__` of a package has the name of the package."""
    found = {}
    for path in sorted((ROOT / "edge_app").rglob("*.py")):
        parts = path.relative_to(ROOT / "edge_app").with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found[name] = ast.parse(path.read_text(), str(path))
    return found


def imports(tree: ast.AST, *, for_types: bool) -> Iterator[str]:
    """Full names of what is imported anywhere in a tree, in functions too; `for_types`: under TYPE_CHECKING too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not for_types:
            for other in node.orelse:
                yield from imports(other, for_types=False)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imports(node, for_types=for_types)


def own_imports(name: str, *, for_types: bool) -> set[str]:
    """The modules of edge_app that one of them imports; `from edge_app.a import b` is of a.b where that is a module."""
    found = set()
    for full in imports(modules()[name], for_types=for_types):
        package, _, inside = full.partition(".")
        if package == "edge_app":
            found.add(inside if inside in modules() else inside.rpartition(".")[0] or "__init__")
    return found - {name}


def room(name: str) -> str:
    return name.partition(".")[0]


def test_everything_has_a_place_in_the_order():
    assert {room(name) for name in modules()} == set(MAY_IMPORT)


@pytest.mark.parametrize("of", MAY_IMPORT)
def test_a_stage_imports_only_what_is_before_it(of):
    allowed = MAY_IMPORT[of] | {of}
    wrong = {
        f"{name} imports {other}"
        for name in modules()
        if room(name) == of
        for other in own_imports(name, for_types=True)
        if not {other, room(other)} & allowed and (name, other) not in EXCEPTIONS
    }
    assert wrong == set()


def test_every_exception_is_made_use_of():
    assert {pair for pair in EXCEPTIONS if pair[1] not in own_imports(pair[0], for_types=True)} == set()


def test_no_circles():
    graph = {name: own_imports(name, for_types=False) for name in modules()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_nothing_of_training_on_the_device():
    wrong = {
        f"{name} imports {other}"
        for name in modules()
        for other in imports(modules()[name], for_types=True)
        if room(other) in ("train", "export", "tests", "benchmarks", "torch", "onnx", "tqdm", "pytest")
    }
    assert wrong == set()


def test_the_client_is_one_file_to_copy():
    """pyzmq and the standard library are all that it needs."""
    assert {room(other) for other in imports(modules()["client"], for_types=True)} <= sys.stdlib_module_names | {"zmq"}


def test_only_the_program_configures_logging():
    configuring = ("basicConfig", "dictConfig", "fileConfig", "addHandler", "setLevel", "StreamHandler", "FileHandler")
    wrong = {
        f"{name}, line {node.lineno}: {ast.unparse(node)}"
        for name, tree in modules().items()
        if name != "app.log"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in configuring)
        or (isinstance(node, ast.Call) and ast.unparse(node).startswith("logging.getLogger(") and not by_own_name(node))
    }
    assert wrong == set()


def by_own_name(call: ast.Call) -> bool:
    return ast.unparse(call) == "logging.getLogger(__name__)"


EVERYTHING = """
import importlib, pkgutil, sys
import edge_app
for module in pkgutil.walk_packages(edge_app.__path__, "edge_app."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name not in ("cyclonedds", "paho"):  # extras, of one bridge each
                raise
heavy = {"torch", "train", "export", "onnx", "tqdm", "pytest"} & {name.partition(".")[0] for name in sys.modules}
sys.exit(f"imported: {sorted(heavy)}" if heavy else 0)
"""


def test_importing_all_of_edge_app_needs_no_torch():
    """Nor does anything that it imports from elsewhere."""
    done = subprocess.run([sys.executable, "-c", EVERYTHING], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_the_command_line_is_there_at_once():
    """Verbs load what they need when they are called."""
    heavy = "{'numpy', 'cv2', 'mediapipe', 'onnxruntime', 'yaml', 'rich', 'prometheus_client'}"
    code = (
        f"import sys, edge_app.app.cli; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_onnx_runtime_reports_to_nobody(tmp_path):
    """Its telemetry leaves a session file in TMPDIR as soon as it is imported, unless it is off."""
    run = [sys.executable, "-c", "import edge_app, onnxruntime"]
    subprocess.run(run, check=True, timeout=100, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []

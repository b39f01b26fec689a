"""The bundles that ship, by name."""

from __future__ import annotations

from pathlib import Path

from edge_app.bundles.files import path_of

DEFAULT = Path(__file__).parent / "default"
SHIPPED = ("default", "open")


def bundle_folder(name: str | Path) -> Path:
    """Where a bundle lies: a folder as it is; where there is none of that name, the bundle that ships so.

    Raises:
        UsageError: no folder can have that name.

    Example:
        >>> bundle_folder("default") == DEFAULT
        True
    """
    path = path_of(name)
    return DEFAULT.parent / path if str(path) in SHIPPED and not path.is_dir() else path

"""A folder of CURVE keys, laid out and guarded as ssh does it: `edge-app keys`.

    DIR/server.key, server.key_secret     the application's own pair; the secret has mode 0600
    DIR/authorized/readers/NAME.key       who may read the stream
    DIR/authorized/controllers/NAME.key   who may change the labels
    DIR/authorized/cameras/NAME.key       who may send poses, for `remote://`
    DIR/clients/NAME/                     a new client's folder, to be moved to its machine

Files are certificates in ZeroMQ's own format (`zmq.auth`). A client that made its pair itself is let in by putting its
public certificate into `authorized`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zmq.auth import create_certificates

from edge_app.bundles.files import write_bytes
from edge_app.client import check_secret, read_certificate
from edge_app.errors import UsageError

Role = Literal["reader", "controller", "camera"]
ROLES: tuple[Role, ...] = ("reader", "controller", "camera")
MAX_KEYS = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True, slots=True)
class Keys:
    """The application's own secret, and whom it lets in: for each role public key -> name. Keys are Z85 text."""

    public: str
    secret: str
    allowed: Mapping[Role, Mapping[str, str]]


def load_keys(folder: Path) -> Keys:
    """Read a folder of keys.

    Raises:
        UsageError: a certificate is missing or malformed, a secret can be read, or the lists written, by other users.
    """
    try:
        check_secret(folder / "server.key_secret")
        public, secret = read_certificate(folder / "server.key_secret")
        allowed: dict[Role, dict[str, str]] = {}
        for role in ROLES:
            place = folder / "authorized" / f"{role}s"
            if not place.exists():  # nobody has this role
                allowed[role] = {}
                continue
            files = sorted(place.glob("*.key"))
            if len(files) > MAX_KEYS:
                raise ValueError(f"{place}: {len(files)} keys found, at most {MAX_KEYS} are allowed")
            for path in (folder, place.parent, place, *files):
                _check_writable(path)
            allowed[role] = {read_certificate(path)[0]: path.stem for path in files}
    except OSError as error:
        raise UsageError(f"keys {folder}: {error.filename}: {error.strerror}; 'edge-app keys new' makes it") from None
    except ValueError as error:
        raise UsageError(f"keys: {error}") from None
    if not secret:
        raise UsageError(f"keys: {folder}/server.key_secret holds no secret key")
    return Keys(public, secret, allowed)


def state_of(folder: Path) -> tuple[object, ...]:
    """Something that differs once a key was added, changed or taken away; cheap enough for every second."""
    found: list[object] = []
    for role in ROLES:
        try:
            with os.scandir(folder / "authorized" / f"{role}s") as entries:
                stats = [(role, entry.name, entry.stat()) for entry in entries]
        except OSError as error:
            found.append((role, error.errno))
            continue
        found += sorted((role, name, s.st_mtime_ns, s.st_ctime_ns, s.st_size, s.st_ino) for role, name, s in stats)
    return tuple(found)


def new_server(folder: Path) -> None:
    """Make the application's own pair, and empty lists.

    Raises:
        UsageError: there is one already, or the folder cannot be written.
    """
    if (folder / "server.key_secret").exists():
        raise UsageError(f"keys {folder}: there is a server's key already; 'keys new {folder} --name N' adds a client")
    with _private_writes(folder):
        for role in ROLES:
            (folder / "authorized" / f"{role}s").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            create_certificates(work, "server")
            for name in ("server.key", "server.key_secret"):
                write_bytes(folder / name, (Path(work) / name).read_bytes())


def new_client(folder: Path, name: str, role: Role) -> Path:
    """Make a client's pair, let its key in, and return its folder, which holds all that the client needs.

    Raises:
        UsageError: no such folder, the name is taken or malformed, or the folder cannot be written.
    """
    load_keys(folder)
    home = folder / "clients" / _checked(name)
    if home.exists() or _certificates(folder, name):
        raise UsageError(f"keys {folder}: the name {name!r} is taken; 'edge-app keys revoke' frees it")
    with _private_writes(folder):
        home.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            made = Path(work) / "client"
            made.mkdir()
            create_certificates(made, "client")
            shutil.copy(folder / "server.key", made)
            public = (made / "client.key").read_bytes()
            (made / "client.key").unlink()
            os.replace(made, home)
        try:
            write_bytes(folder / "authorized" / f"{role}s" / f"{name}.key", public)
        except UsageError:
            shutil.rmtree(home)
            raise
    return home


def revoke(folder: Path, name: str) -> None:
    """Take a client's key off the lists, and its folder away. A running application cuts it off within a second.

    Raises:
        UsageError: nobody of this name is let in.
    """
    certificates = _certificates(folder, _checked(name))
    if not certificates:
        known = sorted({name for names in load_keys(folder).allowed.values() for name in names.values()})
        raise UsageError(f"keys {folder}: no {name!r} is let in; known are {', '.join(known) or 'none'}")
    with _private_writes(folder):
        for path in certificates:
            path.unlink()
        shutil.rmtree(folder / "clients" / name, ignore_errors=True)


def listing(folder: Path) -> list[str]:
    """A line for each key: role, name, fingerprint."""
    keys = load_keys(folder)
    rows = [("server", "-", keys.public)]
    rows += [(role, name, public) for role in ROLES for public, name in keys.allowed[role].items()]
    return [f"{role:11}{name:24}{fingerprint(public)}" for role, name, public in rows]


def fingerprint(public: str) -> str:
    """As ssh writes it: SHA256: and the base64 of the hash of the key's 32 bytes."""
    from zmq.utils import z85

    return "SHA256:" + base64.b64encode(hashlib.sha256(z85.decode(public)).digest()).decode().rstrip("=")


def _certificates(folder: Path, name: str) -> list[Path]:
    places = [folder / "authorized" / f"{role}s" / f"{name}.key" for role in ROLES]
    return [path for path in places if path.exists()]


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r:.80}: allowed are 1 to 64 letters, digits, '.', '_' and '-'")
    return name


def _check_writable(path: Path) -> None:
    mode = path.stat().st_mode
    if mode & _WRITABLE_BY_OTHERS:
        raise ValueError(f"{path} can be written by other users (mode {mode & 0o777:04o}); chmod go-w it")


class _private_writes:
    """What is made within is for its owner alone; a folder that cannot be written is one line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        self._mask = os.umask(0o077)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            os.umask(self._mask)
            raise UsageError(f"keys {self._folder}: cannot be written: {error.strerror}") from None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        os.umask(self._mask)
        if isinstance(error, OSError):
            raise UsageError(f"keys {self._folder}: cannot be written: {error.strerror}") from None

"""Bundles that somebody else made: X5 and X6, and what a signature says."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge_app.app.cli import main
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.files import load_npy, load_npz
from edge_app.errors import UsageError
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import parse_labels, read_labels
from edge_app.ranker.load import load_ranker
from tests.light import light_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    shutil.copytree(light_bundle(), folder)
    return folder


def put(bundle: Path, name: str, data: bytes) -> None:
    """A file with the hash that the manifest wants: its maker is the attacker."""
    (bundle / name).write_bytes(data)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def refused(bundle: Path, word: str) -> None:
    with pytest.raises(UsageError, match=word) as error:
        loaded = load_bundle(bundle)
        BundleText(loaded)
        load_ranker(loaded, "scale")
        loaded.golden()
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_A3_a_changed_missing_or_unlisted_file_is_refused_by_name_and_hash(bundle, tmp_path, capfd):
    encoder = bundle / "encoder.onnx"
    whole = encoder.read_bytes()
    encoder.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert main(["bundle", "verify", str(bundle)]) == 2
    found, stated = hashlib.sha256(encoder.read_bytes()).hexdigest()[:12], hashlib.sha256(whole).hexdigest()[:12]
    line = capfd.readouterr().err
    assert "encoder.onnx" in line and found in line and stated in line
    encoder.unlink()
    refused(bundle, "encoder.onnx is missing")
    encoder.write_bytes(whole)
    (bundle / "more").touch()
    refused(bundle, "'more' is not in the manifest")
    (bundle / "more").unlink()
    load_bundle(bundle)
    (bundle / "manifest.json").unlink()
    refused(bundle, "no manifest.json")


@pytest.mark.parametrize(("key", "value"), [("format", "edge-bundle/2"), ("surprise", 1)])
def test_A3_an_unknown_format_or_key_is_refused(bundle, key, value):
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    refused(bundle, str(value) if key != "surprise" else key)


def test_A8_another_skeleton_is_refused(bundle):
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"skeleton": "coco17"}))
    refused(bundle, "coco17")


@pytest.mark.parametrize("name", [
    "../outside", "/etc/passwd", "a/b", "..", ".", "", "a/../../x", "manifest.json", "\0", "x" * 300,
])  # fmt: skip
def test_X5_paths_that_leave_the_folder_are_refused(bundle, tmp_path, name):
    (tmp_path / "outside").write_text("secret")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(b"secret").hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    refused(bundle, "file name|missing or no plain file")


def test_X5_links_pipes_and_devices_are_refused(bundle, tmp_path):
    target = bundle / "golden.npz"
    kept = tmp_path / "golden.npz"
    shutil.move(target, kept)
    target.symlink_to(kept)
    refused(bundle, "no plain file")
    target.unlink()
    os.mkfifo(target)
    refused(bundle, "no plain file")
    target.unlink()
    target.symlink_to("/dev/zero")
    refused(bundle, "no plain file")


def test_X5_a_file_beyond_the_limit_is_refused_unread(bundle):
    with open(bundle / "golden.npz", "r+b") as file:
        file.truncate(100 * 2**20)
    refused(bundle, "104,857,600 bytes")
    for n in range(8):
        with open(bundle / f"big{n}", "wb") as file:
            file.truncate(60 * 2**20)
    refused(bundle, "at most 536,870,912")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "nul", '"x"', "[]", '{"format": NaN}', "\xff"])
def test_X5_a_manifest_that_is_no_manifest(bundle, text):
    (bundle / "manifest.json").write_bytes(text.encode("latin-1"))
    refused(bundle, "manifest.json is not JSON|format")


def header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue()


def npz(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


def test_X5_a_zip_bomb_is_refused_before_it_is_unpacked(bundle, tmp_path):
    part = io.BytesIO()
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("embeddings.npy", "w") as member:
        member.write(header((2**20 * 192,)))
        for _ in range(768):
            member.write(bytes(2**20))
    bomb = part.getvalue()
    assert len(bomb) < 2**20
    put(bundle, "background.npz", bomb)
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); "
    code = f"{limit}from edge_app.bundles.files import load_npz; from pathlib import Path; load_npz(Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, bundle / "background.npz"], capture_output=True, text=True)
    assert "UsageError: background.npz" in done.stderr and "MemoryError" not in done.stderr
    refused(bundle, "background.npz: not an npz")


@pytest.mark.parametrize("data", [
    npz(embeddings=header((10**12,)) + b"1234"),  # numpy would allocate four terabytes
    npz(embeddings=header((-1,)) + b"1234"),
    npz(embeddings=header((2**40, 2**40, 0)) + b"1234"),
    npz(embeddings=header((2,)) + b"1234"),
    npz(embeddings=header((1,)) + b"12345678"),
    npz(embeddings=b"\x93NUMPY\x03\x00"),
    npz(embeddings=b""),
    npz(**{f"a{n}": header((0,)) for n in range(1025)}),
    npz(embeddings=header((1,)) + b"1234")[:-30],
    b"PK\x05\x06" + bytes(18),
    b"",
])  # fmt: skip
def test_X5_sizes_that_contradict_each_other_are_refused(bundle, data):
    put(bundle, "background.npz", data)
    refused(bundle, "not an npz|malformed|background")


class Canary:
    """Its unpickling leaves a mark."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def test_X6_a_pickle_is_never_run(bundle, tmp_path):
    mark = tmp_path / "ran"
    pickled = pickle.dumps(Canary(mark))
    objects = np.array([Canary(mark)], object)
    raw = io.BytesIO()
    np.save(raw, objects, allow_pickle=True)
    packed = io.BytesIO()
    np.savez(packed, embeddings=objects)
    files = {"raw.npy": pickled, "object.npy": raw.getvalue(), "object.npz": packed.getvalue(), "raw.npz": pickled,
             "inside.npz": npz(embeddings=pickled), "labels.txt": pickled}  # fmt: skip
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UsageError):
            {".npy": load_npy, ".npz": load_npz, ".txt": read_labels}[path.suffix](path)
    for name in ("background.npz", "golden.npz", "ranker-scale.npz", "labels.npy", "labels.json", "calibration.json"):
        for data in files.values():
            folder = tmp_path / "b"
            shutil.copytree(bundle, folder)
            put(folder, name, data)
            with pytest.raises(UsageError):
                loaded = load_bundle(folder)
                BundleText(loaded)
                load_ranker(loaded, "scale")
                loaded.golden()
            shutil.rmtree(folder)
    assert not mark.exists()
    pickle.loads(pickled)
    assert mark.exists(), "the canary sings when it is let"


def test_X10_a_label_file_of_garbage_is_one_escaped_line(tmp_path):
    for data in (b"wave\x1b[2J\n", b"a" * 2**20, b"\xff\xfe", "wave\u202e".encode(), b"wave\0"):
        (tmp_path / "l.txt").write_bytes(data)
        with pytest.raises(UsageError) as error:
            parse_labels(str(tmp_path / "l.txt"))
        assert str(error.value).isprintable() and len(str(error.value)) < 300


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@needs_ssh
def test_a_signed_bundle_is_checked_and_a_changed_one_refused(bundle, key, tmp_path, capfd):
    verify = ["bundle", "verify", str(bundle), "--key", f"{key}.pub"]
    assert main(verify) == 2 and "manifest.sig" in capfd.readouterr().err
    assert main(["bundle", "sign", str(bundle), "--key", str(key)]) == 0
    assert main(verify) == 0
    assert main(["bundle", "verify", str(bundle)]) == 0, "the signature is no unlisted file"
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    assert main([*verify[:-1], f"{other}.pub"]) == 2
    put(bundle, "MODEL_CARD.md", b"changed by somebody")
    capfd.readouterr()
    assert main(["bundle", "verify", str(bundle)]) == 0, "hashes alone do not know who made them"
    assert main(verify) == 2
    assert "was not made over this manifest" in capfd.readouterr().err


@needs_ssh
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_keys_sign_nothing(bundle, tmp_path, capfd, kind):
    path = tmp_path / "k"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
    assert main(["bundle", "sign", str(bundle), "--key", str(path)]) == 2
    assert "ed25519" in capfd.readouterr().err
    assert not (bundle / "manifest.sig").exists()


@needs_ssh
@pytest.mark.parametrize("text", [b"", b"zz" * 64, b"00" * 63, b"\xff" * 10, b"0" * 500])
def test_a_malformed_signature_is_refused(bundle, key, capfd, text):
    (bundle / "manifest.sig").write_bytes(text)
    assert main(["bundle", "verify", str(bundle), "--key", f"{key}.pub"]) == 2
    assert "manifest.sig" in capfd.readouterr().err


@needs_ssh
def test_X8_a_signing_key_that_others_can_read_is_refused(bundle, key, capfd):
    key.chmod(0o644)
    assert main(["bundle", "sign", str(bundle), "--key", str(key)]) == 2
    assert "chmod 600" in capfd.readouterr().err

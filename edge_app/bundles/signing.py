"""Ed25519 signatures on bundles, by keys of `ssh-keygen -t ed25519`. The manifest is signed; it hashes the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_app.bundles.files import write_text
from edge_app.client import check_secret
from edge_app.errors import UsageError

SIGNATURE = "manifest.sig"
_MAX_KEY = 16_384


def sign_bundle(folder: Path, key: Path) -> None:
    """Write `manifest.sig`: the 64 bytes of the signature, in hexadecimal.

    Args:
        key: an OpenSSH ed25519 private key without a passphrase, of mode 0600.

    Raises:
        UsageError: the key is no such key, or readable by others; no manifest; `cryptography` is not installed; or the
            folder cannot be written.
    """
    serialization, _ = _library()
    try:
        check_secret(key)
        secret = serialization.load_ssh_private_key(_read(key), None)
        signature = secret.sign(_read(folder / "manifest.json", 2**20))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"--key {key}: no ed25519 private key without a passphrase ({error})") from None
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    if len(signature) != 64 or not _is_ed25519(secret):
        raise UsageError(f"--key {key}: another kind of key found, ed25519 is allowed")
    write_text(folder / SIGNATURE, signature.hex() + "\n")


def check_signature(folder: Path, key: Path) -> None:
    """Raises UsageError unless `manifest.sig` was made over the manifest with the secret of this public key."""
    serialization, invalid = _library()
    try:
        public = serialization.load_ssh_public_key(_read(key))
        signature = bytes.fromhex(_read(folder / SIGNATURE, 200).decode("ascii"))
        if not _is_ed25519(public):
            raise ValueError("another kind of key")
        public.verify(signature, _read(folder / "manifest.json", 2**20))
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}; a signed bundle has {SIGNATURE}") from None
    except invalid:
        raise UsageError(f"bundle {folder}: {SIGNATURE} was not made over this manifest with the key {key}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"bundle {folder}: {SIGNATURE} or the ed25519 public key {key} is malformed ({error})"
        ) from None


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise UsageError("signatures need the package cryptography: pip install 'edge-app[sign]'") from None
    return serialization, (InvalidSignature, UnsupportedAlgorithm)


def _is_ed25519(key: Any) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return isinstance(key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey))


def _read(path: Path, limit: int = _MAX_KEY) -> bytes:
    if path.stat().st_size > limit:
        raise ValueError(f"{path}: larger than {limit} bytes")
    return path.read_bytes()

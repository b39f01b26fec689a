"""Errors that reach the user: one line each, and the exit code that the command line returns."""

import re


class AppError(Exception):
    """Base of every error with a message meant for the user. The message says what, what was found, what is allowed."""

    exit_code = 1


class UsageError(AppError):
    """A bad argument, setting or artefact."""

    exit_code = 2


class PortError(AppError):
    """An endpoint that cannot be bound: in use, or not permitted."""

    exit_code = 3


class SourceError(AppError):
    """A camera or file that cannot be opened or decoded."""

    exit_code = 4


class GaveUpError(AppError):
    """The supervisor's restart budget is spent."""

    exit_code = 5


_NETWORK_LOGIN = re.compile(r"(?i)\b(rtsps?|rtmps?|https?)://\S*@")
_ANY_LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*)://[^/\s]*@")
_SECRET_OPTION = re.compile(
    r"(?i)([?&;](?:user|usr|username|login|pass|passwd|password|pwd|token|key|auth|secret)=)[^&;\s]*"
)


def redact(text: str) -> str:
    """`text` with every login of a URI, and every password-like query value, replaced by `***`.

    Rather too much than too little goes: a password may itself hold `/`, `:` or `@`.
    """
    text = _NETWORK_LOGIN.sub(r"\1://***@", text)
    text = _ANY_LOGIN.sub(r"\1://***@", text)
    return _SECRET_OPTION.sub(r"\1***", text)


_SURROGATE = re.compile("[\ud800-\udfff]")


def legible(text: str) -> str:
    """Text that can be encoded: a byte of a file name that is no UTF-8, a lone surrogate here, comes as `\\xff`."""
    return _SURROGATE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def printable(value: object) -> str:
    """Text that cannot move the cursor or forge a line: whatever is not printable comes as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in legible(str(value)))

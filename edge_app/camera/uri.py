"""Source URIs: taking options out of them, and credentials out of anything that is shown."""

from __future__ import annotations

import re

from edge_app.errors import UsageError, redact

_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")


def normalized(uri: str) -> str:
    """The same source as every other place expects it: schemes in lower case, a file of `localhost` as one of here, and
    `/dev/video0` as a camera."""
    if re.fullmatch("/dev/video[0-9]+", uri):
        return f"v4l2://{uri}"
    if uri[:6].lower() == "file:/" and uri[6:7] != "/":
        uri = f"file://{uri[5:]}"
    found = _SCHEME.match(uri)
    if found is None:
        return uri
    scheme, rest = found[0].lower(), uri[found.end() :]
    if scheme == "fault://":
        fault, slash, inner = rest.partition("/")
        rest = fault + slash + normalized(inner)
    elif scheme == "file://" and rest[:10].lower() == "localhost/":
        rest = rest[9:]
    return scheme + rest


def recording_uri(text: str) -> str:
    """The source of a recording that is given as a path, or as that source."""
    return normalized(text) if text[:7].lower() == "pose://" else f"pose://{text}"


def parse_options(uri: str, text: str, defaults: dict[str, float], separator: str = "&") -> dict[str, float]:
    """`a=1&b=2.5` as numbers, over `defaults`, which also say what is allowed.

    Raises:
        UsageError: an unknown name, or a value that is not a number of 0 or more.
    """
    values = dict(defaults)
    for part in filter(None, text.split(separator)):
        name, _, value = part.partition("=")
        if name not in defaults:
            allowed = ", ".join(defaults) or "none"
            raise UsageError(f"{redact(uri)}: unknown option {name!r}; allowed: {allowed}")
        try:
            values[name] = float(value)
        except ValueError:
            values[name] = -1.0
        if not 0 <= values[name] < 1e9:
            raise UsageError(f"{redact(uri)}: option {name} is {value!r}; allowed: a number from 0")
    return values

"""Source URIs: taking options out of them, and credentials out of anything that is shown."""

from __future__ import annotations

from edge_app.errors import UsageError, redact


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

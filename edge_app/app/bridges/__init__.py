"""The stream in other worlds: each bridge is a subscriber like any other, in a process of its own."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from edge_app.bundles.files import path_of
from edge_app.client import DEFAULT_ENDPOINT, Message, Subscriber
from edge_app.errors import UsageError

LIMIT_S = 3  # of silence; then the reader tells `stale` and `end` by itself, and the bridge passes them on


def add_bridges(verbs: Any) -> None:
    """Add `bridge` and its kinds to the command line's verbs."""
    kinds = verbs.add_parser(
        "bridge", help="pass a stream on to MQTT, ROS 2, a web service or a command"
    ).add_subparsers(dest="kind", required=True, metavar="KIND")
    mqtt = kinds.add_parser("mqtt", help="to an MQTT 5 broker, such as Mosquitto")
    mqtt.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    mqtt.add_argument("--broker", required=True, metavar="HOST[:PORT]", help="port 1883, or 8883 with --ca")
    mqtt.add_argument("--prefix", default="edge-app", help="of every topic (default edge-app)")
    mqtt.add_argument("--username", metavar="NAME")
    mqtt.add_argument("--password-file", type=path_of, metavar="FILE", help="or set EDGE_APP_MQTT_PASSWORD")
    mqtt.add_argument("--ca", type=path_of, metavar="FILE", help="use TLS, and trust only what this certificate signed")
    mqtt.add_argument(
        "--home-assistant", nargs="?", const="homeassistant", metavar="PREFIX",
        help="announce cameras and labels to Home Assistant (its discovery prefix; default homeassistant)",
    )  # fmt: skip
    mqtt.add_argument("--control", metavar="ENDPOINT", help="the app's control socket, which knows the labels")
    ros2 = kinds.add_parser("ros2", help="to ROS 2 nodes, over DDS; needs no ROS here")
    ros2.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    ros2.add_argument("--domain", type=int, metavar="N", help="default: ROS_DOMAIN_ID, or 0")
    ros2.add_argument("--prefix", default="edge_app", help="of every topic (default edge_app)")
    webhook = kinds.add_parser("webhook", help="to a web service: a POST for each start and end")
    webhook.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    webhook.add_argument("--url", required=True, metavar="URL", help="http://… or https://…")
    webhook.add_argument(
        "--secret-file", type=path_of, metavar="FILE", help="sign with this; or set EDGE_APP_WEBHOOK_SECRET"
    )
    command = kinds.add_parser("exec", help="to a command: a run for each start and end")
    command.add_argument("--endpoint", default=DEFAULT_ENDPOINT, metavar="ENDPOINT")
    command.add_argument("--limit", type=float, default=10.0, dest="limit_s", metavar="S", help="of a run (default 10)")
    command.add_argument("command", nargs="+", metavar="COMMAND", help="after --, with its arguments")
    for kind in (webhook, command):
        kind.add_argument("--label", action="append", default=[], help="only this label; repeatable")
        kind.add_argument("--updates", action="store_true", help="updates too, about one a second")
    for kind in (mqtt, ros2, webhook, command):
        kind.add_argument("--max-age-ms", type=float, default=1000, metavar="MS", help="pass on nothing older as live")


def read_secret(option: str, file: Path) -> str:
    """The line of a file that only its owner may read.

    Raises:
        UsageError: others may read it, or it cannot be read.
    """
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise UsageError(f"{option} {file}: others may read it; allowed is mode 600")
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {file}: {getattr(error, 'strerror', None) or 'not text'}") from None


def subscribe(endpoint: str, max_age_ms: float) -> Subscriber:
    """The stream to be passed on.

    Raises:
        UsageError: the endpoint is malformed.
    """
    try:
        return Subscriber(endpoint, max_age_ms=max_age_ms, liveness_timeout_s=LIMIT_S)
    except ValueError as error:
        raise UsageError(str(error)) from None


def nothing_heard(message: Message) -> bool:
    """Whether this is the reader's own word that no camera at all is heard."""
    return message.local and "run" not in message.data

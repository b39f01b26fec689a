"""The stream in other worlds: each bridge is a subscriber like any other, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_app.client import DEFAULT_ENDPOINT, Message, Subscriber
from edge_app.errors import UsageError

LIMIT_S = 3  # of silence; then the reader tells `stale` and `end` by itself, and the bridge passes them on


def add_bridges(verbs: Any) -> None:
    """Add `bridge mqtt` and `bridge ros2` to the command line's verbs."""
    kinds = verbs.add_parser("bridge", help="pass a stream on to MQTT or ROS 2").add_subparsers(
        dest="kind", required=True, metavar="KIND"
    )
    mqtt = kinds.add_parser("mqtt", help="to an MQTT 5 broker, such as Mosquitto")
    mqtt.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    mqtt.add_argument("--broker", required=True, metavar="HOST[:PORT]", help="port 1883, or 8883 with --ca")
    mqtt.add_argument("--prefix", default="edge-app", help="of every topic (default edge-app)")
    mqtt.add_argument("--username", metavar="NAME")
    mqtt.add_argument("--password-file", type=Path, metavar="FILE", help="or set EDGE_APP_MQTT_PASSWORD")
    mqtt.add_argument("--ca", type=Path, metavar="FILE", help="use TLS, and trust only what this certificate signed")
    mqtt.add_argument(
        "--home-assistant", nargs="?", const="homeassistant", metavar="PREFIX",
        help="announce cameras and labels to Home Assistant (its discovery prefix; default homeassistant)",
    )  # fmt: skip
    mqtt.add_argument("--control", metavar="ENDPOINT", help="the app's control socket, which knows the labels")
    ros2 = kinds.add_parser("ros2", help="to ROS 2 nodes, over DDS; needs no ROS here")
    ros2.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    ros2.add_argument("--domain", type=int, metavar="N", help="default: ROS_DOMAIN_ID, or 0")
    ros2.add_argument("--prefix", default="edge_app", help="of every topic (default edge_app)")
    for kind in (mqtt, ros2):
        kind.add_argument("--max-age-ms", type=float, default=1000, metavar="MS", help="pass on nothing older as live")


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

"""Tell what to act on: python subscriber.py [ENDPOINT]. Needs pyzmq and edge_app/client.py, which may be copied."""

import sys

from edge_app.client import DEFAULT_ENDPOINT, Subscriber

open_events: set[str] = set()
states: dict[str, str] = {}
with Subscriber(sys.argv[1] if len(sys.argv) > 1 else DEFAULT_ENDPOINT, max_age_ms=1000) as stream:
    for message in stream:  # only what is fresh; a lost end is made up for, and 3 s of silence are told as `stale`
        data = message.data
        if message.kind == "action" and data["type"] == "end":
            if data["event"] in open_events:
                print("end", data["label"], data["reason"], flush=True)
            open_events.discard(data["event"])
        elif message.kind == "action" and data["event"] not in open_events:  # the first sight of it may be an update
            print("start", data["label"], f"{message.age_ms:.1f} ms old", flush=True)
            open_events.add(data["event"])
        elif message.kind == "state" and states.get(data["camera"]) != data["state"]:
            print("state", data["state"], flush=True)  # act only while it is "running"
            states[data["camera"]] = data["state"]

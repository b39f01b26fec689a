from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_app.client import MAX_DEPTH, MAX_FRAME
from edge_app.stream import messages as schema
from edge_app.types import Decision

GOLDEN = {
    path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[1] / "golden/messages").glob("*.json")
}
T = 5_000_000_000_000


def full(message: dict, age_ms: int = 63) -> dict:
    """As the publisher sends it."""
    now = T + age_ms * 1_000_000
    wall = "2026-01-01T00:00:00.000Z" if message.get("t_capture_mono_ns") is not None else None
    return schema.complete(message, run="9f3c", seq=1842, boot="90c26025", now_ns=now, wall=wall)


def messages(samples) -> dict[str, dict]:
    """Every golden message of this version, made anew."""
    running = full(samples.state(T, open_n=(17,)))
    return {
        "action-1.1-start": full(samples.action("start", T)),
        "action-1.1-update": full(samples.action("update", T)),
        "action-1.1-end": full(samples.action("end", T)),
        "action-1.1-end-lost": full(samples.action("end", T, reason="camera_lost", ranked=False)),
        "state-1.0-running": running,
        "state-1.0-cached": {**running, "age_ms": 263, "cached": True, "t_resend_mono_ns": T + 263_000_000},
        "state-1.0-stale": full(schema.as_stale(samples.state(T, open_n=(17,)), 1000), age_ms=1200),
        "state-1.0-no-frame-yet": full(samples.state(0, "camera_lost")),
        "status-1.2": full(samples.status(T)),
        "pose-1.0": full(samples.pose(T)),
    }


def test_schema_files_are_valid_and_one_for_each_message(schemas):
    names = {"action-1.0", "action-1.1", "state-1.0", "status-1.0", "status-1.1", "status-1.2", "pose-1.0"}
    assert set(schemas) == names | {"recognition-1"}
    for each in schemas.values():
        jsonschema.Draft202012Validator.check_schema(each)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_messages_of_every_version_are_valid(name, check):
    check(GOLDEN[name])


def test_the_builders_still_write_the_golden_messages(samples):
    made = messages(samples)
    older = ("recognition", "action-1.0", "status-1.0", "status-1.1")
    assert set(made) == {name for name in GOLDEN if not name.startswith(older)}
    for name, message in made.items():
        assert message == GOLDEN[name], name


def test_a_new_minor_version_only_adds(samples, schemas):
    """A reader of status/1.0 or status/1.1 understands status/1.2, and one of action/1.0 understands action/1.1."""
    for older in ("status-1.0", "status-1.1"):
        jsonschema.validate(full(samples.status(T)), schemas[older], cls=jsonschema.Draft202012Validator)
    jsonschema.validate(full(samples.action("update", T)), schemas["action-1.0"], cls=jsonschema.Draft202012Validator)


def test_no_message_holds_a_key_that_its_schema_does_not_know(samples, schemas):
    for message in messages(samples).values():
        assert set(message) <= set(schemas[message["schema"].replace("/", "-")]["properties"])


def test_every_required_key_is_demanded_and_every_type_checked(schemas):
    """The schemas can fail: without a key, or with another type, no golden message passes."""
    for message in GOLDEN.values():
        file = schemas[message["schema"].replace("/", "-")]
        valid = jsonschema.Draft202012Validator(file).is_valid
        for key in file["required"]:
            assert not valid({each: value for each, value in message.items() if each != key}), key
            assert not valid({**message, key: object()}), key


def test_action_has_the_keys_of_the_contract(samples):
    contract = (
        "schema type run seq camera track event label score energy margin topk t_capture_mono_ns t_publish_mono_ns "
        "t_capture_wall boot onset_mono_ns window_s fps_in age_ms bundle labels_version provider flags "
        "reps cadence_hz"
    )
    message = full(samples.action("start", T))
    assert set(message) == set(contract.split())
    assert set(full(samples.action("end", T))) == {*contract.split(), "reason"}
    assert message["topk"] == [["wave", 0.625], ["bow", 0.25], ["point", 0.125]]
    assert (message["energy"], message["margin"], message["age_ms"]) == (0.25, 0.125, 63)


def test_an_end_without_a_ranking_says_null_not_zero(samples):
    message = samples.action("end", T, reason="camera_lost", ranked=False)
    assert message["energy"] is None and message["margin"] is None and message["topk"] == []


def test_stale_keeps_open_events_and_drops_the_old_ranking(samples):
    stale = schema.as_stale(samples.state(T, open_n=(1, 2)), 1000)
    assert (stale["state"], stale["topk"], stale["known"]) == ("stale", [], None)
    assert stale["since_mono_ns"] == T + 1_000_000_000
    assert [each["event"] for each in stale["open"]] == ["front-3-1", "front-3-2"]


@pytest.mark.parametrize("state", ["camera_lost", "camera_frozen", "failed", "stale"])
def test_states_that_tell_of_the_loss_are_not_hidden_by_stale(samples, state):
    message = samples.state(T, state)
    assert schema.as_stale(message, 1000) is message


def test_age_is_rounded_up(samples):
    message = samples.state(T)
    assert [schema.age_ms(message, T + ns) for ns in (0, 1, 1_000_000, 1_000_001)] == [0, 1, 1, 2]
    assert schema.age_ms({"t_capture_mono_ns": None}, T) is None


def test_topic_names():
    assert schema.topic("front", "state") == "v1/front/state"
    assert schema.topic("Tür 2", "action") == "v1/Tür 2/action"
    for bad in ("", "a/b", "a\0b", "a\nb", "x" * 65):
        with pytest.raises(ValueError, match="camera name"):
            schema.topic(bad, "state")


def test_nothing_that_json_has_not_is_sent(samples):
    message = samples.state(T)
    for bad in (float("nan"), float("inf"), np.float32(1), b"x", {1, 2}):
        with pytest.raises(ValueError):
            schema.encode("v1/front/state", {**message, "known": bad})
    with pytest.raises(ValueError, match="at most"):
        schema.encode("v1/front/state", {**message, "flags": ["x" * MAX_FRAME]})
    for topic in ("", "v1/front", "v1//state", "v1/a\0b/state", "front/state"):
        with pytest.raises(ValueError, match="topic"):
            schema.encode(topic, message)


def test_one_frame_topic_zero_byte_json():
    frame = schema.encode("v1/front/state", {"schema": "state/1.0", "label": "винтовка é"})
    assert frame == 'v1/front/state\0{"schema":"state/1.0","label":"винтовка é"}'.encode()


BAD_FRAMES = {
    "empty": b"",
    "no zero byte": b'v1/a/state{"schema":"state/1.0"}',
    "no topic": b'\0{"schema":"state/1.0"}',
    "not utf-8": b'v1/a/state\0{"schema":"\xff"}',
    "topic not utf-8": b'v1/\xff/state\0{"schema":"state/1.0"}',
    "not json": b"v1/a/state\0{",
    "two objects": b'v1/a/state\0{"schema":"s/1"}{}',
    "not an object": b"v1/a/state\0[1]",
    "no schema": b'v1/a/state\0{"a":1}',
    "schema not text": b'v1/a/state\0{"schema":1}',
    "NaN": b'v1/a/state\0{"schema":"s/1","a":NaN}',
    "infinity": b'v1/a/state\0{"schema":"s/1","a":-Infinity}',
    "hidden infinity": b'v1/a/state\0{"schema":"s/1","a":1e999}',
    "huge integer": b'v1/a/state\0{"schema":"s/1","a":' + b"9" * 5000 + b"}",
    "beyond 64 bits": b'v1/a/state\0{"schema":"s/1","a":9223372036854775808}',
    "too deep": b'v1/a/state\0{"schema":"s/1","a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "far too deep": b'v1/a/state\0{"schema":"s/1","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "too large": b'v1/a/state\0{"schema":"s/1","a":"' + b"x" * MAX_FRAME + b'"}',
}


@pytest.mark.parametrize("name", sorted(BAD_FRAMES))
def test_decode_refuses(name):
    with pytest.raises(ValueError):
        schema.decode(BAD_FRAMES[name])


def test_decode_takes_what_is_just_allowed():
    nested = b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)
    frame = b'v1/a/state\0{"schema":"s/1","a":%s,"b":9223372036854775807,"c":-9223372036854775808}' % nested
    topic, data = schema.decode(frame)
    assert topic == "v1/a/state" and (data["b"], data["c"]) == (2**63 - 1, -(2**63))


TEXT = st.text(st.characters(codec="utf-8"))
NUMBER = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, JSON, max_size=5), st.text("ab é-_.:0", min_size=1))
def test_what_is_encoded_is_decoded(extra, camera):
    message = {**extra, "schema": "state/1.0"}
    topic = f"v1/{camera[:64]}/state"
    frame = schema.encode(topic, message)
    try:
        assert schema.decode(frame) == (topic, message)
    except ValueError as error:
        assert "nested" in str(error)


@given(st.binary() | st.binary().map(lambda tail: b'v1/a/state\0{"schema":"s/1","a":' + tail))
@example(b'v1/a/state\0{"schema":"s/1","a":"\\ud800"}')
@example(b"v1/a/state\0" + b'{"schema":' * 2000)
def test_decode_of_any_bytes_is_sound_or_a_value_error(frame):
    try:
        topic, data = schema.decode(frame)
    except ValueError:
        return
    assert topic.startswith("v") and isinstance(data["schema"], str)
    json.dumps(data, allow_nan=False)


@given(st.data())
def test_decode_of_a_damaged_message_is_sound_or_a_value_error(data):
    frame = bytearray(schema.encode("v1/front/action", GOLDEN["action-1.1-start"]))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    frame = frame[: data.draw(st.integers(0, len(frame)))]
    try:
        _, message = schema.decode(bytes(frame))
    except ValueError:
        return
    assert isinstance(message["schema"], str)


def test_no_frame_yet_is_null_not_the_boot_of_the_machine(check):
    decision = Decision("front", None, 0, "camera_lost", (), None)
    message = full(schema.state_message(
        decision, since_ns=T, fps_in=0, bundle="b", labels_version=1, provider="p",
    ))  # fmt: skip
    assert message["t_capture_mono_ns"] is None and message["age_ms"] is None and message["t_capture_wall"] is None
    check(message)

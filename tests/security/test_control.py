"""The control socket under attack: X3, X10, and the refusals of A4 and A5."""

from __future__ import annotations

import json
import os
import time

import pytest
import zmq

from edge_app.errors import SourceError, UsageError
from edge_app.ranker.labels.label import MAX_LABELS, Label, line_of, parse_lines
from edge_app.stream.control import HERE_S, MAX_REQUEST, ask, control_beside

HEAD = b'{"schema":"control/1.0",'


def answer(served, body: bytes) -> dict:
    """The reply to one request."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(served.control.endpoint)
        socket.send(body)
        served.until(lambda: socket.poll(0))
        return json.loads(socket.recv())


def labels(served) -> list[str]:
    return answer(served, HEAD + b'"op":"labels.list"}')["labels"]


def change(served, op: str, given: object) -> dict:
    return answer(served, json.dumps({"schema": "control/1.0", "op": f"labels.{op}", "labels": given}).encode())


@pytest.mark.parametrize(("body", "word"), [
    (b"", "Expecting value"),
    (b"\xff\xfe{}", "utf-8"),
    (b"[]", "not a JSON object"),
    (b"[" * 10_000 + b"]" * 10_000, "nested deeper"),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested deeper"),
    (HEAD + b'"op":"status","n":NaN}', "NaN"),
    (HEAD + b'"op":"status","n":1e999}', "1e999"),
    (HEAD + b'"op":"status","n":' + b"9" * 5000 + b"}", "999"),
    (HEAD + b'"op":"status","n":-9223372036854775809}', "-9223372036854775809"),
    (b'{"op":"status"}', "schema None"),
    (b'{"schema":"control/2.0","op":"status"}', "control/2.0"),
    (b'{"schema":7,"op":"status"}', "schema 7"),
    (HEAD + b'"op":"labels.explode"}', "labels.explode"),
    (HEAD + b'"op":["status"]}', "op"),
    (HEAD + b'"op":"labels.set"}', "list of lines"),
    (HEAD + b'"op":"labels.set","labels":"/etc/passwd"}', "list of lines"),
    (HEAD + b'"op":"labels.set","labels":[1]}', "list of lines"),
    (HEAD + b'"op":"labels.add","labels":["Wave"]}', "there already"),
    (HEAD + b'"op":"labels.remove","labels":["fly"]}', "not in the set"),
    (HEAD + b'"op":"labels.describe","labels":["fly: up"]}', "not in the set"),
])  # fmt: skip
def test_X3_bad_requests_get_one_line_and_change_nothing(private, body, word):
    reply = answer(private, body)
    assert reply["ok"] is False and word in reply["error"] and "\n" not in reply["error"]
    assert len(reply["error"]) < 300
    assert labels(private) == ["wave", "clap"]


def test_X3_a_hundred_megabytes_end_the_connection_and_cost_no_memory(private):
    before = resident_mib()
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(private.control.endpoint)
        socket.send(bytes(100 * 2**20), copy=False)
        for _ in range(200):
            private.turn()
            time.sleep(0.002)
        assert not socket.poll(0)
    assert private.control.counters["control_requests"] == 0
    assert resident_mib() - before < 150, "the sender's own copy is in this process too"
    assert labels(private) == ["wave", "clap"]


def test_X3_a_flood_is_served_in_turns_and_others_get_their_answer(private):
    with zmq.Context() as context, context.socket(zmq.DEALER) as flood:
        flood.linger, flood.sndhwm = 0, 0
        flood.connect(private.control.endpoint)
        for _ in range(20_000):
            flood.send(HEAD + b'"op":"labels.explode"}')
        before, most = 0, 0
        for _ in range(50):
            private.turn()
            served = private.control.counters["control_requests"]
            before, most = served, max(most, served - before)
        assert 0 < most <= 16
        assert labels(private) == ["wave", "clap"]
        assert private.control.counters["control_requests"] < 20_000, "the flood was not yet through"


def test_X3_a_peer_that_never_reads_does_not_hold_the_loop(private):
    with zmq.Context() as context, context.socket(zmq.DEALER) as deaf:
        deaf.linger, deaf.sndhwm, deaf.rcvhwm = 0, 0, 1
        deaf.connect(private.control.endpoint)
        for _ in range(3000):
            deaf.send(HEAD + b'"op":"labels.list"}')
        private.until(lambda: private.control.counters["control_requests"] >= 3000)
    assert labels(private) == ["wave", "clap"]


@pytest.mark.parametrize("frames", [[b""], [b"a", b"b", b"c", HEAD + b'"op":"status"}'], [b"x"] * 50])
def test_X3_odd_envelopes_harm_nothing(private, frames):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(private.control.endpoint)
        socket.send_multipart(frames)
        private.until(lambda: socket.poll(0))
    assert labels(private) == ["wave", "clap"]


def test_a_req_socket_is_answered_too(private):
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.linger = 0
        socket.connect(private.control.endpoint)
        socket.send(HEAD + b'"op":"status","id":7}')
        private.until(lambda: socket.poll(0))
        assert json.loads(socket.recv()) == {"schema": "control/1.0", "ok": True, "id": 7, "status": {"fine": True}}


def test_labels_are_set_added_described_and_removed(private):
    assert change(private, "set", ["bow @ 0.5", "sip = drink: the hand goes to the mouth"])["labels_version"] == 2
    assert change(private, "add", ["wave # a comment"])["count"] == 3
    assert change(private, "describe", ["BOW: the back bends"])["labels_version"] == 4
    assert labels(private) == ["bow @ 0.5: the back bends", "sip = drink: the hand goes to the mouth", "wave"]
    assert change(private, "describe", ["sip: the arm bends"])["ok"]
    assert change(private, "remove", ["bow", "Wave"])["count"] == 1
    assert labels(private) == ["sip = drink: the arm bends"]


@pytest.mark.parametrize("other", ["WAVE", "ｗａｖｅ", "ｗave", "Ｗave"])
def test_F10_one_label_however_its_letters_are_written(private, other):
    """Capital and full-width letters: a name that cannot be added again is found again."""
    assert "there already" in change(private, "add", [other])["error"]
    assert change(private, "describe", [f"{other}: a hand goes round"])["ok"]
    assert labels(private) == ["wave: a hand goes round", "clap"]
    assert change(private, "remove", [other])["count"] == 1
    assert labels(private) == ["clap"]


def test_F10_one_label_however_its_accents_are_stored(private):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert change(private, "add", [composed])["ok"]
    assert "there already" in change(private, "add", [decomposed])["error"]
    assert change(private, "remove", [decomposed.upper()])["count"] == 2
    assert labels(private) == ["wave", "clap"]


def test_A5_no_label_at_all_is_allowed(private):
    assert change(private, "set", []) == {
        "schema": "control/1.0",
        "ok": True,
        "id": None,
        "labels_version": 2,
        "count": 0,
    }
    assert labels(private) == []


def test_A5_more_than_ten_thousand_are_refused_and_the_old_set_stays(private):
    for start in range(0, MAX_LABELS - 2, 2499):
        lines = [f"l{n}" for n in range(start, min(start + 2499, MAX_LABELS - 2))]
        assert change(private, "add", lines)["ok"]
    assert change(private, "add", ["one more"])["ok"] is False
    assert len(labels(private)) == MAX_LABELS


def test_F6_words_of_another_language_are_understood_noted_or_refused(private):
    assert change(private, "set", ["鼓掌 = clap", "agitar la\u00a0mano"])["notes"] == [
        "label 2: spaces of other kinds, or marks that are not seen, were cleaned away"
    ]
    assert labels(private) == ["鼓掌 = clap", "agitar la mano"]
    assert answer(private, HEAD + b'"op":"labels.list"}')["names"] == ["鼓掌", "agitar la mano"]
    assert "notes" not in change(private, "add", ["跳舞"])
    assert "not understood" in change(private, "add", ["махать"])["error"]
    assert "means the same as 'agitar la mano' (label 2)" in change(private, "add", ["winken"])["error"]
    assert "may be misunderstood" in change(private, "add", ["zwaaien"])["notes"][0]
    assert change(private, "remove", ["鼓掌", "跳舞", "zwaaien"])["count"] == 1


@pytest.mark.parametrize("evil", [
    "wave\nFORGED LINE", "wave\x1b[31m", "wa\rve", "wave\0", "wave\u202egnp", "wave\u2028x", "x" * 60_000, "\ud800",
    "wave\x9b31m", "\x07", "a" * 81, "b: " + "x" * 401, "\u200b",
])  # fmt: skip
def test_X10_a_label_can_forge_nothing(private, evil):
    for op in ("set", "add"):
        reply = change(private, op, [evil])
        assert reply["ok"] is False
        assert reply["error"].isprintable() and len(reply["error"]) < 300
    assert labels(private) == ["wave", "clap"]


def test_X10_a_label_of_a_megabyte_does_not_come_through(private):
    with pytest.raises(UsageError, match="65,536 are allowed"):
        ask(private.control.endpoint, "labels.set", ["x" * 2**20])
    assert MAX_REQUEST == 65_536


def test_A4_a_set_that_cannot_be_embedded_is_an_error_reply_and_the_next_one_goes_in(private):
    def fails(labels: object, version: int) -> None:
        raise MemoryError("no room")

    sound = private.labels._build
    private.labels._build = fails
    assert "MemoryError: no room" in change(private, "set", ["bow"])["error"]
    private.labels._build = sound
    assert labels(private) == ["wave", "clap"]
    assert change(private, "set", ["bow"])["labels_version"] == 2


def test_F10_nobody_there_is_exit_4_in_one_line(tmp_path, monkeypatch):
    """And soon, however long an answer might take."""
    assert HERE_S <= 2
    monkeypatch.setattr("edge_app.stream.control.HERE_S", 0.1)
    with pytest.raises(SourceError, match=r"no app answers within 0\.1 s") as error:
        ask(f"ipc://{tmp_path}/nobody", "labels.list")
    assert error.value.exit_code == 4
    assert f"{tmp_path}/nobody" in str(error.value) and "edge-app status" in str(error.value)
    for wrong in ("tcp://127.0.0.1:99999", "nonsense", "ipc:///" + "d" * 107):
        with pytest.raises(UsageError, match=r"control socket .*(expected|possible)"):
            ask(wrong, "labels.list")


def test_F10_where_the_control_socket_is(tmp_path, monkeypatch):
    assert control_beside("ipc:///run/a") == "ipc:///run/a.control"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert control_beside("tcp://127.0.0.1:5757") == f"ipc://{tmp_path}/edge-app-5757.control"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/no/such")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    place = control_beside("tcp://127.0.0.1:5757").removeprefix("ipc://").rpartition("/")[0]
    assert place.startswith(str(tmp_path)) and os.stat(place).st_mode & 0o777 == 0o700
    os.chmod(place, 0o777)
    with pytest.raises(UsageError, match="no other may write"):
        control_beside("tcp://127.0.0.1:5757")


@pytest.mark.parametrize("label", [
    Label("wave"), Label("sip", ("drink", "have a drink")), Label("bow", (), "the back bends: deep"),
    Label("sip", ("drink",), "a = b, c"),
])  # fmt: skip
def test_the_line_of_a_label_is_that_label(label):
    assert parse_lines([line_of(label)]) == (label,)


def resident_mib() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

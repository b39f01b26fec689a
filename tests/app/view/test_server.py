"""The live page over real sockets: who comes in, and what is sent."""

import http.client
import json
import time
from contextlib import ExitStack
from urllib.parse import quote

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from edge_app.app.view.access import Access, open_access
from edge_app.app.view.save import as_recording
from edge_app.camera.recording import read_recording
from edge_app.client import Message
from edge_app.errors import PortError, UsageError
from edge_app.types import Poses
from tests.app.view.conftest import TOKEN


def ask(access: Access, path: str = "/", method: str = "GET", body: str | None = None, **headers: str):
    """Status, headers and body of an answer."""
    host, port = access.socket.getsockname()[:2]
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, {key.lower(): value for key, value in reply.getheaders()}, content


def place(access: Access) -> str:
    return "{}:{}".format(*access.socket.getsockname()[:2])


def live(access: Access, origin: str | None = None, cookie: str = ""):
    ask(access)  # waits until it serves
    return connect(  # past the proxy that keeps MediaPipe quiet
        f"ws://{place(access)}/live", origin=origin if origin is not None else f"http://{place(access)}",
        additional_headers={"Cookie": cookie} if cookie else {}, open_timeout=20, proxy=None,
    )  # fmt: skip


def batches(socket, seconds: float = 60.0):
    """What a page is sent that asks for more as soon as it has shown what came."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        socket.send("more")
        yield json.loads(socket.recv(10))
    pytest.fail(f"not what was waited for in {seconds} s")


def updates(socket, kind: str):
    for batch in batches(socket):
        yield from (update for update in batch["updates"] if update["topic"].endswith(f"/{kind}"))


def test_the_page_and_its_parts_come_with_a_strict_policy(same_page):
    access = same_page
    for path, kind in (("/", "text/html"), ("/main.js", "text/javascript"), ("/style.css", "text/css")):
        status, headers, content = ask(access, path)
        assert status == 200
        assert headers["content-type"].startswith(kind)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert b"://" not in content.replace(b"http://www.w3.org/2000/svg", b""), "nothing from anywhere else"


@pytest.mark.parametrize(
    "path", ["/../access.py", "/%2e%2e/access.py", "/page/index.html", "/etc/passwd", "//etc/passwd"]
)
def test_no_other_file_is_given(same_page, path):
    assert ask(same_page, path)[0] == 404


def test_state_pose_action_and_status_arrive_with_their_ages(same_page):
    wanted = {"state", "pose", "action", "status"}
    with live(same_page) as socket:
        for batch in batches(socket):
            assert batch["limit_ms"] == 1000
            assert batch["waited_ms"] >= 0
            for update in batch["updates"]:
                kind = update["topic"].rpartition("/")[2]
                wanted.discard(kind)
                if kind in ("state", "pose"):
                    assert update["exact"]
                    assert update["age_ms"] >= 0
            if not wanted:
                return


def test_a_page_that_comes_later_gets_the_actions_that_were(same_page):
    with live(same_page) as socket:
        first = next(updates(socket, "action"))["data"]
    with live(same_page) as socket:
        assert next(updates(socket, "action"))["data"]["event"] == first["event"]


def test_a_page_that_does_not_ask_is_sent_nothing_and_then_only_the_newest(same_page):
    first = None
    with live(same_page) as quick, live(same_page) as slow:
        for update in updates(quick, "state"):
            seq = update["data"]["seq"]
            first = seq if first is None else first
            if seq > first + 5:
                break
        with pytest.raises(TimeoutError):
            slow.recv(0.2)
        states = [
            update["data"]["seq"] for update in next(batches(slow))["updates"] if update["topic"].endswith("/state")
        ]
        assert len(states) == 1
        assert states[0] >= seq


def test_poses_that_are_too_old_are_not_sent(page, app):
    app.delay_ms = 5000
    with live(page) as socket:
        for batch in batches(socket):
            kinds = [update["topic"].rpartition("/")[2] for update in batch["updates"]]
            assert "pose" not in kinds
            if any(update["data"].get("state") == "stale" for update in batch["updates"]):
                return


def test_whatever_a_page_sends_is_taken_for_more(same_page):
    with live(same_page) as socket:
        socket.send(b"\xff")
        assert "updates" in json.loads(socket.recv(10))
    with live(same_page) as socket, pytest.raises(ConnectionClosed):
        socket.send("x" * 5000)
        socket.recv(10)
    with live(same_page) as socket:
        next(updates(socket, "state"))


def test_silence_is_told(page, app):
    with live(page) as socket:
        next(updates(socket, "state"))
        app.silent = True
        for update in updates(socket, "state"):
            if update["local"]:
                assert update["data"]["state"] == "stale"
                return


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "null", "file://", ""]
)
def test_a_websocket_of_another_site_is_refused(same_page, origin):
    with pytest.raises(InvalidStatus) as refused, live(same_page, origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_change_from_another_site_is_refused(same_page):
    access = same_page
    body = json.dumps({"lines": ["wave"]})
    assert ask(access, "/labels", "PUT", body, Origin="http://evil.example")[0] == 403
    assert ask(access, "/labels", "PUT", body)[0] == 403
    assert ask(access, "/labels", "POST", body, Origin=f"http://{place(access)}")[0] == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]", "[::1", ""])
def test_a_name_that_only_points_here_is_refused(same_page, host):
    assert ask(same_page, Host=host)[0] == 421


def test_with_a_token_nothing_comes_without_it(guarded):
    access = guarded
    for path in ("/", "/main.js", "/labels", "/?token=wrong-but-long-enough", "/?token=", f"/?token={TOKEN[:-1]}é"):
        status, _, content = ask(access, quote(path, safe="/?="))
        assert status == 401
        assert b"canvas" not in content
        assert TOKEN.encode() not in content
    assert ask(access, "/style.css")[0] == 200
    for cookie in ("", "edge_app_view=x", f"edge_app_view_{access.socket.getsockname()[1]}=nonsense"):
        with pytest.raises(InvalidStatus) as refused, live(access, cookie=cookie):
            pass
        assert refused.value.response.status_code == 403


def test_the_token_moves_from_the_address_into_a_cookie(guarded):
    access = guarded
    assert f"token={TOKEN}" in access.url
    status, headers, _ = ask(access, f"/?token={TOKEN}")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    pair = cookie.partition(";")[0]
    assert ask(access, "/", Cookie=pair)[0] == 200
    with live(access, cookie=pair) as socket:
        next(updates(socket, "state"))


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"lines": "wave"}', '{"lines": [1]}', "[" * 5000, "x" * 100_000])
def test_words_that_are_no_list_are_refused_in_one_line(same_page, body):
    status, _, content = ask(same_page, "/labels", "PUT", body, Origin=f"http://{place(same_page)}")
    assert status == 400
    assert "expected" in json.loads(content)["error"]


def test_F15_a_line_that_is_refused_has_the_number_that_it_has_in_the_box(same_page):
    """And no name of ours before it."""
    body = json.dumps({"lines": ["wave", "", "  ", "wa\x07ve"]})
    content = ask(same_page, "/labels", "PUT", body, Origin=f"http://{place(same_page)}")[2]
    assert json.loads(content)["error"].startswith("line 4: ")


@pytest.mark.parametrize("body", [
    "", "[]", "{}", '{"line": 1, "camera": "", "seconds": 5}', '{"line": "a", "camera": "", "seconds": "5"}',
    '{"line": "a", "camera": "", "seconds": 1e9}', '{"line": "a", "camera": "", "seconds": NaN}',
    '{"line": "a", "camera": "", "seconds": true}', '{"line": "a", "seconds": 5}', "[" * 5000, "x" * 100_000,
])  # fmt: skip
def test_shots_that_make_no_sense_are_refused_in_one_line(same_page, body):
    status, _, content = ask(same_page, "/shot", "POST", body, Origin=f"http://{place(same_page)}")
    assert status == 400
    assert "expected" in json.loads(content)["error"]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"line": 1}', "[" * 5000])
def test_what_cannot_be_forgotten_is_refused_in_one_line(same_page, body):
    status, _, content = ask(same_page, "/shot", "DELETE", body, Origin=f"http://{place(same_page)}")
    assert status == 400
    assert "expected" in json.loads(content)["error"]


def test_the_last_minute_is_saved_as_a_recording(same_page, tmp_path):
    with live(same_page) as socket:
        next(updates(socket, "pose"))
        next(updates(socket, "status"))
        status, headers, content = ask(same_page, "/recording")
    assert status == 200 and headers["content-disposition"].startswith('attachment; filename="edge-app-')
    file = tmp_path / "minute.mcap"
    file.write_bytes(content)
    found = list(read_recording(file))
    poses = [item for item in found if isinstance(item, Poses)]
    assert {(item.camera, len(item.poses)) for item in poses} == {("front", 1)}
    np.testing.assert_allclose(poses[0].poses[0].image[-1], (640, 480))
    topics = {item[0].rpartition("/")[2] for item in found if not isinstance(item, Poses)}
    assert {"state", "status"} <= topics


@pytest.mark.parametrize("data", [
    {}, {"schema": 3}, {"schema": "state/9.9"}, {"schema": "../x"}, {"schema": "state/1.0"},
    {"schema": "pose/1.0", "camera": "a", "t_capture_mono_ns": 1, "people": [{"image": [1]}]},
])  # fmt: skip
def test_what_is_no_message_is_left_out_of_a_recording(data, tmp_path):
    kind = "pose" if "people" in data else "state"
    file = tmp_path / "minute.mcap"
    file.write_bytes(as_recording([Message(f"v1/a/{kind}", data)]))
    assert list(read_recording(file)) == []


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_shot_from_another_site_is_refused(same_page, method):
    body = '{"line": "a", "camera": "", "seconds": 5}'
    assert ask(same_page, "/shot", method, body, Origin="http://evil.example")[0] == 403


def test_without_a_control_socket_the_words_say_so(same_page):
    assert json.loads(ask(same_page, "/labels")[2])["error"]


def test_a_flood_of_pages_is_limited(page):
    with ExitStack() as stack:
        sockets = [stack.enter_context(live(page)) for _ in range(17)]
        with pytest.raises(ConnectionClosed):
            sockets[-1].recv(10)
        next(updates(sockets[0], "state"))


@pytest.mark.parametrize("text", ["", "8765", "example.org:80", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "a:b:c"])
def test_a_place_that_is_none_is_refused(text):
    with pytest.raises(UsageError):
        open_access(text)


def test_beyond_this_machine_there_is_always_a_token():
    access = open_access("0.0.0.0:0")
    access.socket.close()
    assert len(access.token) >= 16
    with pytest.raises(UsageError):
        open_access("0.0.0.0:0", "short")


def test_a_place_in_use_is_refused():
    access = open_access("127.0.0.1:0")
    with access.socket, pytest.raises(PortError):
        open_access(place(access))

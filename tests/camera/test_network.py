"""RTSP against a few lines of server on the loopback: no camera needed to see what goes over the wire."""

from __future__ import annotations

import socket
import threading

import pytest

from edge_app.camera import open_source, opencv
from edge_app.errors import SourceError

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:t1\r\n"
)


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


def test_rtsp_asks_for_tcp(server: socket.socket) -> None:
    transports: list[str] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rwb") as stream:
            while line := stream.readline():
                method, headers = line.split()[0].decode(), {}
                while header := stream.readline().decode().strip():
                    name, _, value = header.partition(": ")
                    headers[name] = value
                if method == "SETUP":
                    transports.append(headers["Transport"])
                    return
                body = SDP if method == "DESCRIBE" else ""
                kind = "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n" if method == "OPTIONS" else ""
                if body:
                    kind = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
                stream.write(f"RTSP/1.0 200 OK\r\nCSeq: {headers['CSeq']}\r\n{kind}\r\n{body}".encode())
                stream.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(SourceError, match="no stream"):
        open_source(f"rtsp://127.0.0.1:{server.getsockname()[1]}/live")
    thread.join(20)
    assert transports and transports[0].startswith("RTP/AVP/TCP")


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_accepts_and_is_silent_is_given_up(
    server: socket.socket, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencv, "OPEN_TIMEOUT_MS", 300)
    with pytest.raises(SourceError, match=r"not reachable within 0\.3 s"):
        open_source(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/live")

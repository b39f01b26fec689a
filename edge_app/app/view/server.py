"""The page, its WebSocket and the labels, behind one guard."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from edge_app.app.view.access import Access
from edge_app.app.view.hub import Hub, View
from edge_app.app.view.labels import forget, get_labels, set_labels, teach
from edge_app.app.view.save import as_recording
from edge_app.errors import AppError

MAX_PAGES = 16
MAX_BODY = 2**16  # bytes
MAX_SHOT_S = 30
_OPEN = ("/style.css", "/icon.svg")  # what the page that asks for the token looks like
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


def serve(view: View, access: Access) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        UsageError: the stream's endpoint is malformed.
    """
    asyncio.run(_serve(view, access))


async def _serve(view: View, access: Access) -> None:
    hub = Hub(view)
    config = uvicorn.Config(
        make_app(view, access, hub), log_level="error", access_log=False, server_header=False, lifespan="off",
        limit_concurrency=64, timeout_keep_alive=5, timeout_graceful_shutdown=1, ws_max_size=1024,
        ws_per_message_deflate=False, proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn stops at them, and then raises them again
    hearing = asyncio.create_task(hub.run())
    hearing.add_done_callback(lambda _: setattr(server, "should_exit", True))
    await server.serve(sockets=[access.socket])
    hearing.cancel()
    with suppress(asyncio.CancelledError):
        await hearing


def make_app(view: View, access: Access, hub: Hub) -> ASGIApp:
    """The ASGI application."""
    pages = 0

    async def live(socket: WebSocket) -> None:
        nonlocal pages
        await socket.accept()
        if pages >= MAX_PAGES:
            await socket.close(1013, f"{MAX_PAGES} pages are open already")
            return
        pages += 1
        mailbox = hub.join()
        try:
            while (await socket.receive())["type"] == "websocket.receive":
                asked = time.monotonic()
                updates = [update.as_json() for update in await mailbox.take()]
                waited_ms = (time.monotonic() - asked) * 1000
                batch = {"waited_ms": waited_ms, "limit_ms": view.max_age_ms, "stream": view.stream, "updates": updates}
                await socket.send_text(json.dumps(batch, ensure_ascii=False))
        except WebSocketDisconnect:
            return
        finally:
            pages -= 1
            hub.leave(mailbox)

    async def labels(request: Request) -> Response:
        if request.method == "GET":
            return await _answer(lambda: get_labels(view))
        try:
            lines = json.loads(await _body(request))["lines"]
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError):
            return JSONResponse({"error": f"a list of at most {MAX_BODY:,} bytes of words is expected"}, 400)
        return await _answer(lambda: set_labels(view, lines))

    async def shot(request: Request) -> Response:
        try:
            asked = json.loads(await _body(request))
            line = asked["line"]
            if request.method == "DELETE" and isinstance(line, str):
                return await _answer(lambda: forget(view, line))
            camera, seconds = asked["camera"], asked["seconds"]
            if not (isinstance(line, str) and isinstance(camera, str) and type(seconds) in (int, float)):
                raise TypeError
            if not 0 < seconds <= MAX_SHOT_S:
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            return JSONResponse({"error": f"a line, a camera and at most {MAX_SHOT_S} seconds are expected"}, 400)
        return await _answer(lambda: teach(view, line, camera, seconds))

    async def recording(_: Request) -> Response:
        content = await asyncio.to_thread(as_recording, hub.recent())
        name = time.strftime("edge-app-%Y%m%dT%H%M%S.mcap")
        return Response(
            content,
            media_type="application/octet-stream",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    files = {f"/{path.name}": path.read_bytes() for path in (resources.files(__package__) / "page").iterdir()}
    routes = [Route("/", _file("index.html", files["/index.html"]))]
    routes += [Route(path, _file(path, content)) for path, content in files.items()]
    routes += [Route("/labels", labels, methods=["GET", "PUT"]), Route("/shot", shot, methods=["POST", "DELETE"])]
    routes += [Route("/recording", recording)]
    app = Starlette(routes=[*routes, WebSocketRoute("/live", live)])
    return Guard(app, access, files["/enter.html"])


class Guard:
    """Lets in whoever has the token, under a host name of ours; a WebSocket or a change only from our own page."""

    def __init__(self, app: ASGIApp, access: Access, enter: bytes) -> None:
        self._app, self._access, self._enter = app, access, enter
        self._cookie = f"edge_app_view_{access.socket.getsockname()[1]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._refusal(scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        if response is None:
            await self._app(scope, receive, send_safely)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await response(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._access.is_host(host):
            return Response("this name is not ours\n", 421)
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if changes and not self._access.is_origin(headers.get("origin", ""), host):
            return Response("only our own page may ask for this\n", 403)
        if not self._access.token:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["type"] == "http" and scope["path"] == "/" and given and self._access.knows(given):
            response = RedirectResponse("/", 303)  # away from an address that would stay in the history
            response.set_cookie(self._cookie, given, httponly=True, samesite="strict")
            return response
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        if self._access.knows(cookie) or scope["path"] in _OPEN:
            return None
        return Response(self._enter, 401, media_type="text/html")


def _file(name: str, content: bytes) -> Callable[[Request], Any]:
    kind = _TYPES[name.rpartition(".")[2]]

    async def give(_: Request) -> Response:
        return Response(content, media_type=kind)

    return give


async def _answer(ask: Callable[[], dict[str, Any]]) -> Response:
    try:
        return JSONResponse(await asyncio.to_thread(ask))
    except AppError as error:
        return JSONResponse({"error": str(error)})


async def _body(request: Request) -> bytes:
    """Raises ValueError where it is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise ValueError
    return body

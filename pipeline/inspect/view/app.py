"""The viewer's HTTP interface: a page, a store's columns, and pictures on demand. The only importer of starlette."""

import contextlib
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from pipeline.errors import ForgeryPrepError
from pipeline.inspect.view.source import Source

HOSTS = ["127.0.0.1", "localhost"]  # another name is a page elsewhere that has itself resolved to this machine
FILES = {"": ("index.html", "text/html"), "view.css": ("view.css", "text/css")} | {
    name: (name, "text/javascript") for name in ("view.js", "rows.js", "panes.js")
}
MAX_SIDE = 1024  # pixels of a thumbnail
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FRESH = {"Cache-Control": "no-store"}
KEPT = {"Cache-Control": "private, max-age=600"}  # pictures: paging back and forth reads the store once


def application(source: Source, token: str) -> Starlette:
    """Return the application that shows one store below `/token/`; everything else is not found."""
    routes = [Route(f"/{name}", _file(name)) for name in FILES]
    routes += [
        Route("/about", _answer(lambda request: _json(source.about()))),
        Route("/columns/{name}", _answer(lambda request: _column(source, request))),
        Route("/videos", _answer(lambda request: _json(source.videos()))),
        Route("/rejects", _answer(lambda request: _json(source.lost()))),
        Route("/rows/{row:int}", _answer(lambda request: _json(source.row(request.path_params["row"])))),
        Route("/pictures/{name}/{row:int}", _answer(lambda request: _picture(source, request))),
        Route("/marks", _answer(lambda request: _json(source.marks))),
        Route("/marks/{row:int}", _marking(source), methods=["PUT", "DELETE"]),
    ]
    return Starlette(
        routes=[Mount(f"/{token}", routes=routes)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)],
    )


def _file(name: str) -> Callable[[Request], Response]:
    file, kind = FILES[name]
    content = resources.files("pipeline.inspect.view").joinpath("static", file).read_bytes()
    return lambda request: Response(content, media_type=kind, headers=HEADERS | FRESH)


def _answer(make: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Turn what is not there, and what cannot be read, into answers; plain functions run in threads."""

    def respond(request: Request) -> Response:
        try:
            return make(request)
        except (KeyError, IndexError) as error:
            return _said(404, f"There is no {request.url.path.rsplit('/', 2)[1]}: {error.args[0]}")
        except ForgeryPrepError as error:
            return _said(500, str(error))

    return respond


def _json(values: Any) -> Response:
    return JSONResponse(values, headers=HEADERS | FRESH)


def _said(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status, headers=HEADERS | FRESH)


def _column(source: Source, request: Request) -> Response:
    content = source.column(request.path_params["name"])
    return Response(content, media_type="application/octet-stream", headers=HEADERS | FRESH)


def _picture(source: Source, request: Request) -> Response:
    asked = request.query_params.get("side", "")
    side = min(int(asked), MAX_SIDE) if asked.isascii() and asked.isdigit() else 0
    content, kind = source.picture(request.path_params["name"], request.path_params["row"], side)
    return Response(content, media_type=kind, headers=HEADERS | KEPT)


def _marking(source: Source) -> Callable[[Request], Any]:
    async def respond(request: Request) -> Response:
        row, note = request.path_params["row"], ""
        with contextlib.suppress(ValueError):  # no body: a mark without a note
            said = json.loads(await request.body() or b"{}")
            note = str(said.get("note", "")) if isinstance(said, dict) else ""

        def change(_: Request) -> Response:
            source.mark(row, request.method == "PUT", " ".join(note.split()))
            return _json(source.marks)

        return await run_in_threadpool(_answer(change), request)

    return respond

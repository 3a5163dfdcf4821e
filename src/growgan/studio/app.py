"""Routes from addresses to the service: a thin shell of Starlette, without logic. Nothing is written but films, in a
temporary folder, and nothing is read but what was named on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from growgan import __version__
from growgan.core.errors import ConfigError, UserError
from growgan.studio import plans, watch
from growgan.studio.desk import Desk
from growgan.studio.reels import Reels
from growgan.studio.service import Studio

WEB = Path(__file__).parent / "web"
LOOPBACK = ("127.0.0.1", "localhost")
"""Names by which a studio on loopback may be called: another one has been pointed here by somebody else's page."""
HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
FOREVER = {"cache-control": "private, max-age=86400, immutable"}
"""Of a picture in whose address the version stands that made it."""


def make_app(studio: Studio, runs: Sequence[str], hosts: Sequence[str] = LOOPBACK) -> Starlette:
    """The studio's pages and answers. runs: run folders to look at. hosts: names it answers to; ``*`` is any."""
    desk: Desk[plans.Key | plans.Frame, bytes] = Desk(studio.pictures, studio.batch)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        app.state.reels = Reels(studio, desk)
        yield
        await run_in_threadpool(app.state.reels.close)

    def png(request: Request, look: plans.Look, data: bytes) -> Response:
        lasting = studio.is_current(look.model, request.query_params.get("version", ""))
        return Response(data, media_type="image/png", headers=FOREVER if lasting else {"cache-control": "no-store"})

    async def about(request: Request) -> Response:
        return JSONResponse({"version": __version__, "models": studio.names, "runs": list(runs)})

    async def model(request: Request) -> Response:
        name = request.query_params.get("name", "")
        return JSONResponse(await asyncio.wrap_future(desk.call(lambda: studio.describe(name))))

    async def picture(request: Request) -> Response:
        look, what = plans.parse(request.query_params.get("plan", ""), plans.picture)
        return png(request, look, await asyncio.wrap_future(desk.order(look, what)))

    async def sheet(request: Request) -> Response:
        plan = plans.parse(request.query_params.get("plan", ""), plans.sheet)
        return png(request, plan.look, await asyncio.wrap_future(desk.call(lambda: studio.sheet(plan))))

    async def words(request: Request) -> Response:
        plan = plans.parse(request.query_params.get("plan", ""), plans.sheet)
        return JSONResponse(await asyncio.wrap_future(desk.call(lambda: studio.words(plan))))

    async def begin_film(request: Request) -> Response:
        plan = plans.parse(await _body(request), plans.film)
        return JSONResponse(_reels(request).begin(plan).describe())

    async def teach(request: Request) -> Response:
        plan = plans.parse(await _body(request), plans.said)
        return JSONResponse({"predicted": await asyncio.wrap_future(desk.call(lambda: studio.teach(plan)))})

    async def film(request: Request) -> Response:
        reels, number = _reels(request), request.path_params["number"]
        if request.method == "DELETE":
            reels.forget(number)
            return JSONResponse({})
        return JSONResponse(reels.get(number).describe())

    async def film_file(request: Request) -> Response:
        reel = _reels(request).get(request.path_params["number"])
        if not reel.finished:
            raise ConfigError("this film is not finished")
        return FileResponse(reel.path, filename=reel.path.name, content_disposition_type="inline")

    def run(request: Request) -> Response:
        return JSONResponse(watch.watch(_named(request, runs)))

    def grid(request: Request) -> Response:
        nimg = request.path_params.get("nimg")
        return FileResponse(watch.grid(_named(request, runs), nimg), headers={"cache-control": "no-cache"})

    routes = [
        Route("/", lambda request: FileResponse(WEB / "index.html", headers={"cache-control": "no-cache"})),
        Mount("/web", StaticFiles(directory=WEB)),
        Route("/api/about", about),
        Route("/api/model", model),
        Route("/api/picture", picture),
        Route("/api/sheet", sheet),
        Route("/api/words", words),
        Route("/api/directions", teach, methods=["POST"]),
        Route("/api/films", begin_film, methods=["POST"]),
        Route("/api/films/{number:int}", film, methods=["GET", "DELETE"]),
        Route("/api/films/{number:int}/file", film_file),
        Route("/api/run", run),
        Route("/api/run/fakes/{nimg:int}", grid),
        Route("/api/run/reals", grid),
    ]
    return Starlette(
        routes=routes,
        lifespan=life,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(_Guard)],
        exception_handlers={UserError: _refused, HTTPException: _refused, OSError: _refused, Exception: _failed},
    )


def _reels(request: Request) -> Reels:
    reels: Reels = request.app.state.reels
    return reels


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").split(";")[0] != "application/json":  # as no form of another site has
        raise HTTPException(415, "this is to be sent as application/json")
    return await request.body()


def _named(request: Request, runs: Sequence[str]) -> str:
    name = request.query_params.get("name", "")
    if name not in runs:
        raise ConfigError(f"this studio has no run {name[:80]!r}")
    return name


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    line = error.detail if isinstance(error, HTTPException) else " ".join(str(error).split())
    return JSONResponse({"error": line}, status)


async def _failed(request: Request, error: Exception) -> Response:
    """Our own fault: the page says it, and the traceback stands on stderr."""
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 500)


class _Guard:
    """Refuses what pages of other sites ask for, and adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *more]
            await send(message)

        site = dict(scope["headers"]).get(b"sec-fetch-site", b"none")
        if site not in (b"same-origin", b"none"):
            await JSONResponse({"error": "the studio answers its own pages alone"}, 403)(scope, receive, with_headers)
            return
        await self.app(scope, receive, with_headers)

"""Routes from addresses to the service: a thin Starlette layer without logic. It writes only films, to a temporary
folder, and reads only what was named on the command line."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from growgan import __version__
from growgan.core.errors import ConfigError, UserError
from growgan.studio import plans, watch
from growgan.studio.film_jobs import FilmJobs
from growgan.studio.guard import HEADERS, Guard
from growgan.studio.render_queue import RenderQueue
from growgan.studio.service import Studio

T = TypeVar("T")

WEB = Path(__file__).parent / "web"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Host names accepted by a studio that serves only this machine."""
FOREVER = {"cache-control": "private, max-age=86400, immutable"}
"""For a picture whose address includes the version that made it."""
LOOK_UP = 0.5
"""Seconds between checks of whether the client is still waiting."""


class Json(JSONResponse):
    """JSON in which numbers that JSON does not have, such as the losses of a diverged run, are null."""

    def render(self, content: Any) -> bytes:
        """The bytes of an answer."""
        return json.dumps(_finite(content), allow_nan=False).encode()


def make_app(
    studio: Studio, runs: Sequence[str], names: Collection[str] = LOOPBACK, addresses: bool = False
) -> Starlette:
    """The studio's pages and answers; its queue is in the app's state, to be closed before the server is.

    runs: folders of runs to view. names, addresses: see `Guard`.
    """
    queue: RenderQueue[plans.Key | plans.Frame, bytes] = RenderQueue(studio.pictures, studio.batch)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        app.state.film_jobs = FilmJobs(studio, queue)
        yield
        queue.close()
        await run_in_threadpool(app.state.film_jobs.close)

    def png(request: Request, look: plans.Look, data: bytes) -> Response:
        lasting = studio.is_current(look.model, request.query_params.get("version", ""))
        return Response(data, media_type="image/png", headers=FOREVER if lasting else {"cache-control": "no-store"})

    async def about(request: Request) -> Response:
        return Json({"version": __version__, "models": studio.names, "runs": list(runs)})

    async def model(request: Request) -> Response:
        name, anew = request.query_params.get("name", ""), "anew" in request.query_params
        return Json(await _made(request, queue.call(lambda: studio.describe(name, anew))))

    async def picture(request: Request) -> Response:
        look, what = plans.parse(request.query_params.get("plan", ""), plans.picture)
        return png(request, look, await _made(request, queue.order(look, what)))

    async def sheet(request: Request) -> Response:
        plan = plans.parse(request.query_params.get("plan", ""), plans.sheet)
        return png(request, plan.look, await _made(request, queue.call(lambda: studio.sheet(plan))))

    async def words(request: Request) -> Response:
        plan = plans.parse(request.query_params.get("plan", ""), plans.sheet)
        return Json(await _made(request, queue.call(lambda: studio.words(plan))))

    async def teach(request: Request) -> Response:
        plan = plans.parse(await _body(request), plans.said)
        return Json({"predicted": await _made(request, queue.call(lambda: studio.teach(plan)))})

    async def all_films(request: Request) -> Response:
        film_jobs = _film_jobs(request)
        if request.method == "POST":
            plan = plans.parse(await _body(request), plans.film)
            await _made(request, queue.call(lambda: studio.check_film(plan)))
            return Json(film_jobs.begin(plan).describe())
        return Json([job.describe() for job in film_jobs.all()])

    async def film(request: Request) -> Response:
        film_jobs, number = _film_jobs(request), request.path_params["number"]
        if request.method == "DELETE":
            film_jobs.forget(number)
            return Json({})
        return Json(film_jobs.get(number).describe())

    async def film_file(request: Request) -> Response:
        job = _film_jobs(request).get(request.path_params["number"])
        if not job.finished:
            raise ConfigError("this film is not finished")
        if not job.path.is_file():  # the folder of temporary files has been cleared
            raise ConfigError("the file of this film is gone: make it anew")
        return FileResponse(job.path, filename=job.path.name, content_disposition_type="inline")

    def run(request: Request) -> Response:
        return Json(watch.watch(_named(request, runs)))

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
        Route("/api/films", all_films, methods=["GET", "POST"]),
        Route("/api/films/{number:int}", film, methods=["GET", "DELETE"]),
        Route("/api/films/{number:int}/file", film_file),
        Route("/api/run", run),
        Route("/api/run/fakes/{nimg:int}", grid),
        Route("/api/run/reals", grid),
    ]
    app = Starlette(
        routes=routes,
        lifespan=life,
        middleware=[Middleware(Guard, names=names, addresses=addresses)],
        exception_handlers={UserError: _refused, HTTPException: _refused, OSError: _refused, Exception: _failed},
    )
    app.state.queue = queue
    return app


def _film_jobs(request: Request) -> FilmJobs:
    film_jobs: FilmJobs = request.app.state.film_jobs
    return film_jobs


async def _made(request: Request, future: Future[T]) -> T:
    """The result of a future; the order is cancelled if the client leaves meanwhile."""
    waiting = asyncio.wrap_future(future)
    while True:
        done, _ = await asyncio.wait({waiting}, timeout=LOOK_UP)
        if done:
            return waiting.result()
        if await request.is_disconnected():
            waiting.cancel()
            raise HTTPException(400, "the client has gone")


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").split(";")[0] != "application/json":  # forms of other sites cannot
        raise HTTPException(415, "send this as application/json")
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > plans.LONGEST:
            raise HTTPException(413, "the request is too large")
    return bytes(found)


def _named(request: Request, runs: Sequence[str]) -> str:
    name = request.query_params.get("name", "")
    if name not in runs:
        raise ConfigError(f"this studio has no run {name[:80]!r}")
    return name


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    line = error.detail if isinstance(error, HTTPException) else " ".join(str(error).split())
    return Json({"error": line}, status)


async def _failed(request: Request, error: Exception) -> Response:
    """Handle a bug of ours: the page shows the error, and the traceback goes to stderr.

    Starlette sends this from outside the guard, which therefore cannot add its headers.
    """
    return Json({"error": f"{type(error).__name__}: {error}"}, 500, HEADERS)

"""``growgan serve``: the browser studio."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from growgan.cli.model import PRECISIONS, add_computing, file_hash, kinds, load_model
from growgan.core.errors import ConfigError
from growgan.core.progress import warn
from growgan.core.runfiles import is_run

if TYPE_CHECKING:
    from growgan.studio.service import Given

SUMMARY = "open a studio in the browser: view and edit pictures, make films, watch runs"
EVERYWHERE = ("0.0.0.0", "::")
"""Addresses that stand for all of the machine's addresses."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"{kinds()} (default: all shipped)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="(default 8000; 0: any free port)")
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="(default 127.0.0.1: this machine only)")
    parser.add_argument("--open", action="store_true", help="open it in the default browser")
    parser.add_argument(
        "--directions", type=Path, metavar="FILE", help="from growgan directions (default: the models' own)"
    )
    parser.add_argument("--latents", type=Path, metavar="FILE", help="photographs from growgan project")
    add_computing(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Invalid arguments are reported first."""
    from growgan.core.shipped import shipped

    if args.batch < 1:
        raise ConfigError(f"--batch must be at least 1, not {args.batch}")
    sources = args.models or list(shipped())
    if not sources:
        raise ConfigError("no model is shipped with this version: specify one")
    try:
        import starlette  # noqa: F401
        import uvicorn
    except ImportError:
        raise ConfigError("the studio needs starlette and uvicorn: pip install starlette uvicorn") from None

    from growgan.devices import choose_device
    from growgan.studio.app import LOOPBACK, make_app
    from growgan.studio.guard import is_loopback
    from growgan.studio.service import Studio

    choose_device(args.device)
    precision = PRECISIONS[args.precision]
    studio = Studio(sources, lambda source: load_model(source, args.device, precision), given(args), args.batch)
    runs = [source for source in studio.names if is_run(Path(source))]
    for source in studio.names:
        if source not in runs:  # a run may not have a model yet
            check(source)
    studio.try_given()
    listener = listen(args.host, args.port)
    local = is_loopback(args.host)
    names = {*LOOPBACK, args.host.lower()} | (set() if local else {socket.gethostname().lower()})
    app = make_app(studio, runs, names, addresses=not local)
    shown = "localhost" if args.host in EVERYWHERE else f"[{args.host}]" if ":" in args.host else args.host
    port = listener.getsockname()[1]
    address = f"http://{shown}:{port}/"
    if args.host in EVERYWHERE:
        print(f"from other machines: http://{socket.gethostname()}:{port}/", file=sys.stderr)
    if not local:
        warn("anyone who can reach this machine can use the studio: there is no password")
    print("press Ctrl-C to stop", file=sys.stderr)
    print(address, flush=True)
    if args.open:
        import webbrowser

        threading.Timer(1.0, webbrowser.open, [address]).start()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, lifespan="on"))
    end = server.handle_exit

    def close_first(number: int, frame: FrameType | None) -> None:
        app.state.queue.close()  # else clients waiting for a picture would keep the server waiting
        end(number, frame)

    server.handle_exit = close_first  # type: ignore[method-assign, assignment]
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # the normal way to stop a studio
        pass
    finally:
        listener.close()
    return 0


def given(args: argparse.Namespace) -> Given:
    """What was given in addition to models. Raises `ModelError` for invalid files."""
    from growgan.editing import directions, projected
    from growgan.studio.service import Given

    options = ["--precision", args.precision] if args.precision != "float32" else []
    options += ["--device", args.device] if args.device != "cpu" else []
    found, photographs = args.directions, args.latents
    return Given(
        directions=directions.read(found) if found is not None else None,
        directions_path=found,
        photographs=projected.read(photographs) if photographs is not None else None,
        photographs_path=photographs,
        photographs_hash=file_hash(photographs) if photographs is not None else "",
        options=tuple(options),
    )


def check(source: str) -> None:
    """Raise `ModelError` if it is not a model; for a file of ours, only its header is read."""
    from growgan.models.foreign.kinds import is_foreign
    from growgan.models.foreign.opening import open_foreign
    from growgan.models.inspect import inspect
    from growgan.sampling.sources import find

    path = find(source)
    if path.suffix != ".onnx":
        (open_foreign if is_foreign(path) else inspect)(path)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `ConfigError` if that is not possible."""
    if not host:
        raise ConfigError("--host takes a host name or an address")
    if not 0 <= port < 2**16:
        raise ConfigError(f"--port must be between 0 and {2**16 - 1}, not {port}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        more = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        known = error.errno is not None and error.errno > 0 and not isinstance(error, socket.gaierror)
        what = os.strerror(error.errno or 0) if known else error.strerror or error
        raise ConfigError(f"cannot listen on {host}, port {port}: {what}{more}") from None

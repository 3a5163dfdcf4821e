"""``growgan serve``: the browser studio."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from growgan.cli.model import PRECISIONS, kinds, load_model
from growgan.core.errors import ConfigError

if TYPE_CHECKING:
    from socket import socket

SUMMARY = "open a studio in the browser: look at pictures, edit them, make films, watch runs"
EVERYWHERE = ("0.0.0.0", "::")
"""Addresses that stand for all of a machine's."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"{kinds()} (default: all shipped)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="(default 8000; 0: any that is free)")
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="(default 127.0.0.1: this machine alone)")
    parser.add_argument("--open", action="store_true", help="open it in the default browser")
    parser.add_argument("--directions", type=Path, metavar="FILE", help="of growgan directions (default: models' own)")
    parser.add_argument("--latents", type=Path, metavar="FILE", help="photographs of growgan project")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="pictures computed at once (default 8)")
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, mps or auto (default cpu)")
    parser.add_argument(
        "--precision", default="float32", choices=PRECISIONS, metavar="P", help="float32 (default), bfloat16 or auto"
    )


def run(args: argparse.Namespace) -> int:
    """Answer until Ctrl-C. What is wrong with the command is said before."""
    from growgan.core.shipped import shipped

    if args.batch < 1:
        raise ConfigError(f"--batch must be at least 1, not {args.batch}")
    sources = args.models or list(shipped())
    if not sources:
        raise ConfigError("no model is shipped with this version: name one")
    try:
        import starlette  # noqa: F401
        import uvicorn
    except ImportError:
        raise ConfigError("the studio needs starlette and uvicorn: pip install 'growgan[serve]'") from None

    from growgan.devices import choose_device
    from growgan.editing import directions, projected
    from growgan.sampling.sources import find
    from growgan.studio.app import LOOPBACK, make_app
    from growgan.studio.service import Given, Studio
    from growgan.studio.watch import is_run

    choose_device(args.device)
    runs = [source for source in sources if is_run(source)]
    for source in sources:
        if source not in runs:  # a run has perhaps no model yet
            find(source)
    given = Given(
        directions.read(args.directions) if args.directions is not None else None,
        args.directions,
        projected.read(args.latents) if args.latents is not None else None,
        args.latents,
    )
    precision = PRECISIONS[args.precision]
    studio = Studio(sources, lambda source: load_model(source, args.device, precision), given, args.batch)
    studio.try_given()
    listener = listen(args.host, args.port)
    local = args.host in LOOPBACK
    app = make_app(studio, runs, LOOPBACK if local else ["*"])
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, lifespan="on")
    shown = "localhost" if args.host in EVERYWHERE else f"[{args.host}]" if ":" in args.host else args.host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    if not local:
        print("growgan: whoever can reach this machine can use the studio: there is no password", file=sys.stderr)
    print("Ctrl-C ends it", file=sys.stderr)
    print(address, flush=True)
    if args.open:
        import threading
        import webbrowser

        threading.Timer(1.0, webbrowser.open, [address]).start()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # the way in which a studio is meant to end
        pass
    finally:
        listener.close()
    return 0


def listen(host: str, port: int) -> socket:
    """A socket that listens. Raises `ConfigError` where that cannot be."""
    import socket

    if not 0 <= port < 2**16:
        raise ConfigError(f"--port must lie between 0 and {2**16 - 1}, not {port}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        more = "; --port takes another one" if port else ""
        raise ConfigError(f"cannot listen on {host}, port {port}: {error.strerror or error}{more}") from None

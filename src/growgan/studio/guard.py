"""Which requests the studio answers: those of its own pages, under a name of this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Added to every answer."""


class Guard:
    """Refuses requests from pages of other sites, and adds `HEADERS` to every answer.

    names: host names that are accepted; any other has been made to resolve here by another site (DNS rebinding).
    addresses: whether any IP address is accepted as well, as when listening on a network.
    """

    def __init__(self, app: ASGIApp, names: Collection[str], addresses: bool = False) -> None:
        self.app, self.names, self.addresses = app, names, addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        page = scope["path"].startswith("/web/")  # its modules must all be of one version

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = HEADERS | ({"cache-control": "no-cache"} if page else {})
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in more.items())]
            await send(message)

        refused = self._refusal(scope, asked)
        answer = JSONResponse({"error": refused}, 403) if refused else self.app
        await answer(scope, receive, with_headers)

    def _refusal(self, scope: Scope, asked: dict[str, str]) -> str:
        name = hostname(asked.get("host", ""))
        if not (name in self.names or (self.addresses and is_address(name))):
            return "unknown host name for this studio; set it with --host"
        origin = asked.get("origin")
        if origin is not None and origin.partition("://")[2] != asked["host"]:
            return "the studio only answers its own pages"
        link = (asked.get("sec-fetch-mode"), asked.get("sec-fetch-dest")) == ("navigate", "document")
        if link and scope["path"] == "/" and scope["method"] == "GET":
            return ""  # a link sent to the user
        own = asked.get("sec-fetch-site", "none") in ("same-origin", "none")
        return "" if own else "the studio only answers its own pages"


def hostname(host: str) -> str:
    """The name or address in a ``Host`` header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def is_address(name: str) -> bool:
    """Whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether a name or address refers only to this machine."""
    return name == "localhost" or (is_address(name) and ipaddress.ip_address(name).is_loopback)

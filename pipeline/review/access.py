"""Who may open the pages: this machine, or whoever has the token; and what a browser may do there.

A page of another site can make a browser send requests here. So every request must name this server
as its host (else another name was pointed at this address), and a request that changes something
must carry a header with a value that only our own pages know.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse

COOKIE, CSRF = "storystream_token", "x-storystream"
_SECURITY = {
    # Nothing but our own files: no inline script or style, no other host, no frame around us.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Returns whether a host to listen on is reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """An ASGI middleware that lets nobody else in."""

    def __init__(self, app: Any, token: str, csrf: str) -> None:
        """`token` is demanded if it is not ""; without one only loopback names are served."""
        self.app, self.token, self.csrf = app, token, csrf

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request, or hands it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))
        await (refusal or self.app)(scope, receive, _secured(send))

    def _refusal(self, scope: Any, headers: Headers) -> Any:
        host = _without_port(headers.get("host", ""))
        if not self.token and not is_loopback(host):
            return PlainTextResponse("This server is opened as http://127.0.0.1 only.", 421)
        if self.token:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            given = query.pop("token", [""])[0]
            known = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
            if given and _equal(given, self.token) and scope["method"] == "GET":
                # Only the server's own path, never one that a browser reads as another host.
                path = "/" + scope["path"].lstrip("/\\")
                rest = urlencode(query, doseq=True)
                answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
                answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
                return answer
            if not _equal(known, self.token):
                return PlainTextResponse(
                    "Open the address with ?token=... that the server has printed.", 401
                )
        if scope["method"] not in ("GET", "HEAD"):
            origin = headers.get("origin", "")
            if origin and origin.partition("://")[2] != headers.get("host", ""):
                return PlainTextResponse("Requests of other sites are refused.", 403)
            if not _equal(headers.get(CSRF, ""), self.csrf):
                return PlainTextResponse("The page is of an earlier server: load it again.", 403)
        return None


def new_token() -> str:
    """Returns a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _secured(send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def with_headers(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return with_headers

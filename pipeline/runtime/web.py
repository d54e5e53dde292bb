"""Reads files from web servers, in parts, where the config allows such addresses in a source.

A source may be anybody's, and a server may redirect. A redirect is followed only to the same scheme
or to https, and never from a public host to an address of a private network, which this machine
may reach and whoever wrote the source may not.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

SCHEMES = ("http", "https")
_TIMEOUT = 30.0  # seconds without a byte
_WAITS = (1.0, 4.0, 15.0)  # seconds before another try
_AGAIN = {429, 500, 502, 503, 504}  # statuses after which another try may succeed
_SAFE = "%/:=&?~#+!$,;'@()*[]"  # in addresses, which people copy quoted and unquoted


class NotServed(OSError):
    """Raised when a server does not give a file, such as for a redirect that is not followed."""


def is_web(path: str) -> bool:
    """Returns whether a path is an address of a web server."""
    return path.partition("://")[0].lower() in SCHEMES


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        before, after = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if after.scheme not in {before.scheme, "https"}:
            raise NotServed(f"it redirects to {newurl}: only {before.scheme} is followed")
        if (
            after.hostname != before.hostname
            and _is_private(after.hostname or "")
            and not _is_private(before.hostname or "")
        ):
            raise NotServed(f"it redirects to {newurl}, an address of a private network")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_private(host: str) -> bool:
    """Returns whether one of a host's addresses is not on the internet; not of an unknown host."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return any(not ipaddress.ip_address(str(info[4][0])).is_global for info in found)


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()  # knows no file: and no ftp:
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        _Redirects,
    ):
        opener.add_handler(handler())
    return opener


def _request(url: str, span: str, use: Callable[[Any], Any]) -> Any:
    """Returns what `use` makes of the response to a request for a range of bytes.

    Raises FileNotFoundError, NotServed or, if another try later may succeed, OSError.
    """
    headers = {"User-Agent": "storystream", "Range": f"bytes={span}"}
    request = urllib.request.Request(urllib.parse.quote(url, safe=_SAFE), headers=headers)
    for pause in (*_WAITS, None):
        try:
            with _opener().open(request, timeout=_TIMEOUT) as response:
                return use(response)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # a range of an empty file
                return use(error)
            if error.code in (404, 410):
                raise FileNotFoundError(f"{url}: the server has no such file") from None
            if error.code not in _AGAIN:  # also a redirect to file:, which urllib refuses
                raise NotServed(f"{url}: {error}") from None
            reason: object = error
        except NotServed as error:
            raise NotServed(f"{url}: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, socket.gaierror | ConnectionRefusedError):
                raise NotServed(f"{url}: {reason}") from None
        if pause is not None:
            time.sleep(pause)
    raise OSError(f"{url}: {reason}")


def size(url: str) -> int:
    """Returns the size of a file in bytes. Raises as `read` does."""
    return int(_request(url, "0-0", _size))


def _size(response: Any) -> int:
    total = re.fullmatch(r"bytes .*/(\d+)", response.headers.get("content-range") or "")
    length = total[1] if total else response.headers.get("content-length")
    if length is None:
        raise NotServed("it does not say how large the file is")
    return int(length)


def read_range(url: str, start: int, end: int) -> bytes:
    """Returns the bytes of a file from `start` to before `end`. Raises as `read` does."""

    def part(response: Any) -> bytes:
        if response.status == 416:
            return b""
        if response.status != 206 and start:
            raise NotServed("it sends no parts of files: download the film")
        return bytes(response.read(end - start))

    return bytes(_request(url, f"{start}-{end - 1}", part))


def read(url: str) -> bytes:
    """Returns the content of a file.

    Raises FileNotFoundError if there is none, NotServed if the server does not give it or redirects
    to where no redirect is followed, and OSError if it does not respond.
    """
    return bytes(_request(url, "0-", lambda response: response.read()))

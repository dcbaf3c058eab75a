"""One way to ask the service: GET, with the answers of the last questions at hand (ETags), patience
with a service that is busy, and problem details as errors."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests

from ledger.client.errors import Unavailable, Unreachable, problem_error
from ledger.client.stream import Event, read_events

Params = Mapping[str, object]
REMEMBERED = 128
RETRY_MAX = 10.0


class Http:
    """A connection to one service. ``retries`` are for answers that say to come back later."""

    def __init__(
        self, url: str, timeout: float, retries: int, sleep: Callable[[float], None]
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout, self._retries, self._sleep = timeout, retries, sleep
        self._session = requests.Session()
        self._known: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, params: Params) -> bytes:
        """The body of an answer; a ServiceProblem when there is none, Unreachable without any."""
        for attempt in range(self._retries + 1):
            try:
                return self._once(path, params)
            except Unavailable as error:
                if attempt == self._retries:
                    raise
                self._sleep(min(error.retry_after, RETRY_MAX))
        raise AssertionError("the last attempt returns or raises")

    def events(self, params: Params, last_id: str) -> Iterator[Event]:
        """One connection's worth of events."""
        headers = {"Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        with self._send("/api/v1/events", params, headers, stream=True) as response:
            try:
                lines = (line.decode() for line in response.iter_lines(chunk_size=1))
                yield from read_events(lines, last_id)
            except (requests.RequestException, UnicodeDecodeError) as error:
                raise _unreachable(self._url, error) from error

    def _once(self, path: str, params: Params) -> bytes:
        key = f"{path}?{sorted((name, str(value)) for name, value in params.items())}"
        tag, body = self._known.get(key, ("", b""))
        headers = {"If-None-Match": tag} if tag else {}
        with self._send(path, params, headers) as response:
            if response.status_code == 304 and tag:
                self._known.move_to_end(key)
                return body
            if "ETag" in response.headers:
                self._known[key] = response.headers["ETag"], response.content
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            return response.content

    def _send(
        self, path: str, params: Params, headers: Mapping[str, str], *, stream: bool = False
    ) -> requests.Response:
        try:
            response = self._session.get(
                self._url + path,
                params=_plain(params),
                headers=dict(headers),
                timeout=self._timeout,
                stream=stream,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _unreachable(self._url, error) from error
        if response.status_code in (200, 304):
            return response
        with response:
            retry_after = response.headers.get("Retry-After")
            raise problem_error(response.status_code, _document(response), retry_after)


def _plain(params: Params) -> dict[str, Any]:
    """As a query string has it; what is None is not asked."""
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in params.items()
        if value is not None
    }


def _document(response: requests.Response) -> Mapping[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _unreachable(url: str, error: Exception) -> Unreachable:
    return Unreachable(
        f"The service at {url} does not answer: {type(error).__name__}.",
        hint="Check the address, and that `kudos serve` is running.",
    )

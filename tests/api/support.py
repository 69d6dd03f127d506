"""What the tests of the client share: tokens, a clock to move, waits that are recorded, servers."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NoReturn

import jwt

from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits
from airflow_provider_emnify.api.resources import RESOURCES, operations_of
from airflow_provider_emnify.api.transport.answers import Shape
from airflow_provider_emnify.api.transport.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

    from airflow_provider_emnify.api.transport.paging import Listing

URL = "https://cdn.emnify.net"
AUTHENTICATE = f"{URL}/api/v1/authenticate"
WORKSPACE = f"{URL}/api/v1/authenticate/workspace"
THING = "/api/v1/organisation/my"
APPLICATION_TOKEN = "app-token-9f2c7a61"
PASSWORD = "correct horse battery"
API_KEY = "api-key-51aa90be"


class Scalar:
    """An array without a dimension: it has the method of iterables, and is none, as NumPy's."""

    shape = ()

    def __init__(self, value: int) -> None:
        self.value = value

    def __iter__(self) -> NoReturn:
        raise TypeError("iteration over a 0-d array")

    def item(self) -> int:
        return self.value


class Missing:
    """A missing value of a table that is neither true nor false, as that of pandas."""

    def __bool__(self) -> NoReturn:
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None


class Column(list[Any]):
    """A column of a data frame, which compares item by item, as those of pandas."""

    def __eq__(self, other: object) -> Any:
        raise ValueError("the truth value of a column is ambiguous")

    __hash__ = None


def make_token(life: float | None = 14_400, issued: float = 1_700_000_000, **claims: Any) -> str:
    """Return a JWT as emnify issues them; ``life`` None leaves out ``exp``."""
    said = {"iat": issued, "esc.app": 11, "esc.org": 7, "esc.orgName": "Acme", "api_key": API_KEY, **claims}
    if life is not None:
        said["exp"] = issued + life
    return jwt.encode(said, "k" * 64, algorithm="HS384")


class Clock:
    """Seconds that go forward when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sleeps(list[float]):
    """The waits that were asked for; none of them is taken."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def listed(path: str, path_params: dict[str, Any] | None = None, **options: Any) -> Listing:
    """Return the list at a path, as the resource that declares it reads it."""
    for resource in RESOURCES.values():
        for found in operations_of(resource).values():
            if (found.method, found.path) == ("GET", path):
                options = {"paged": found.paged, "may_be_empty": found.may_be_empty, **options}
    return make_client().transport.list(Request("GET", path, path_params), **options)


def created(path: str, json: Any, ids: type | None = None, **options: Any) -> dict[str, Any]:
    """Create something at a path."""
    shape = Shape("created", ids)
    return make_client().transport.create(Request("POST", path, body=json, shape=shape), **options)


def make_client(credentials: Credentials | None = None, **options: Any) -> EmnifyClient:
    """Return a client that counts in memory and does not sleep."""
    options.setdefault("limits", Limits("memory"))
    options.setdefault("sleep", Sleeps())
    return EmnifyClient(credentials or Credentials(application_token=APPLICATION_TOKEN), **options)


def user_credentials(**more: Any) -> Credentials:
    """Return a user's credentials."""
    return Credentials(username="ann@example.org", password=PASSWORD, **more)


@contextlib.contextmanager
def raw_server(*answers: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Answer connection after connection with these bytes, the last one for good; None resets it.

    Yields the URL and the requests that came, as they came.
    """
    requests: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        left = list(answers)
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                received = connection.recv(65536)
                if not received:
                    continue
                requests.append(received)
                answer = left.pop(0) if len(left) > 1 else left[0]
                if answer is None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", requests
    finally:
        over.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@contextlib.contextmanager
def threaded_server(answer: Callable[[str, str, Message], tuple[int, object]]) -> Iterator[str]:
    """Answer each request in a thread of its own: ``answer(method, path, headers)`` gives status and JSON."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = answer(self.command, self.path, self.headers)
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def http(status: str, body: str = "", **headers: str) -> bytes:
    """Return an answer as bytes; the connection ends with it."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


TOKEN = http("200 OK", f'{{"auth_token": "{make_token()}"}}', Content_Type="application/json")
OK = http("200 OK", '{"id": 7}', Content_Type="application/json")


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

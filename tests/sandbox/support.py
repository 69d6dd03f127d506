"""A plain HTTP client for the tests of the sandbox: requests, and nothing of this project's client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox


class Api:
    """Sends requests to a sandbox, authenticated or not."""

    def __init__(self, sandbox: Sandbox, body: dict[str, Any] | None = None) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        answer = self.post("/api/v1/authenticate", body or {"application_token": sandbox.application_token})
        self.token: str = answer.json()["auth_token"]
        self.session.headers["Authorization"] = f"Bearer {self.token}"

    def send(self, method: str, path: str, json: Any = None, **params: Any) -> requests.Response:
        return self.session.request(
            method, self.sandbox.url + path, json=json, params=params, timeout=10, allow_redirects=False
        )

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.send("GET", path, **params)

    def post(self, path: str, json: Any = None) -> requests.Response:
        return self.send("POST", path, json)

    def put(self, path: str) -> requests.Response:
        return self.send("PUT", path)

    def patch(self, path: str, json: Any) -> requests.Response:
        return self.send("PATCH", path, json)

    def delete(self, path: str, json: Any = None, **params: Any) -> requests.Response:
        return self.send("DELETE", path, json, **params)

    def new_endpoint(self, **fields: Any) -> int:
        """Create an endpoint and return its id."""
        body = {"service_profile": {"id": 1}, "tariff_profile": {"id": 1}, "status": {"id": 0}, **fields}
        answer = self.post("/api/v1/endpoint", body)
        assert answer.ok, answer.text
        return int(answer.json()["id"])

    def new_user(self, username: str = "new@example.com", **fields: Any) -> int:
        """Create a user and return its id."""
        answer = self.post("/api/v1/user", {"username": username, "name": "New", **fields})
        assert answer.status_code == 201, answer.text
        return int(answer.headers["Location"].rpartition("/")[2])

    def close(self) -> None:
        self.session.close()

"""What is sent back: answers, and emnify's errors with their codes, tokens and the shape of their bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ERRORS: dict[str, tuple[int, int]] = {
    # token: (HTTP status, error code)
    "BadRequest": (400, 1000),
    "InvalidCredentials": (401, 1101),
    "InvalidToken": (401, 1102),
    "TokenExpired": (401, 1103),
    "Forbidden": (403, 1104),
    "TooManyRequests": (429, 1105),
    "NotFound": (404, 1201),
    "InvalidQueryCriteria": (422, 1301),
    "InvalidSortCriteria": (422, 1302),
    "InputValidationFailed": (422, 1400),
    "InvalidReference": (422, 1401),
    "Required": (422, 1402),
    "InvalidFormat": (422, 1403),
    "Duplicated": (409, 1405),
    "NotAllowed": (422, 1406),
    "InvalidSimStatus": (409, 1502),
    "SimInUse": (409, 1503),
    "EndpointHasSim": (409, 1504),
    "SimInWorkspace": (409, 1505),
    "Unavailable": (404, 1601),
    "InternalServerError": (500, 1001),
}
_ESIM_PATHS = ("/api/v1/euicc", "/api/v1/sim/operation", "/api/v1/sim/unlinked_product_stats")

MISSING: Any = object()
"""Stands for a body that was not sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. Without ``body`` the answer is empty."""

    status: int = 200
    body: Any = MISSING
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """An error that is answered to the caller.

    :param token: One of :data:`ERRORS`.
    :param message: What is wrong, for people.
    :param errors: The single findings of a validation.
    :param status: HTTP status, where it differs from the usual one.
    :param headers: Further headers of the answer.
    """

    def __init__(
        self,
        token: str,
        message: str,
        *,
        errors: Sequence[Mapping[str, Any]] | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        usual, self.code = ERRORS[token]
        self.status = status or usual
        self.token = token
        self.message = message
        if errors is None and token == "NotAllowed":  # noqa: S105 - no secret
            errors = [finding(token, message)]  # as recorded: a finding too
        self.errors = errors
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        body: dict[str, Any] = {"error_code": self.code, "error_token": self.token, "message": self.message}
        if self.errors is not None:
            body["errors"] = [dict(error) for error in self.errors]
        return body

    @property
    def answer(self) -> Answer:
        """The answer."""
        return Answer(self.status, self.body, self.headers)


def present(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON without what there is not."""
    return {name: value for name, value in row.items() if value is not None}


def fields_of(record: object, *names: str) -> dict[str, Any]:
    """Return what JSON says of a record by the names and values of its attributes."""
    return {name: getattr(record, name) for name in names}


def shaped(error: ApiError, template: str | None) -> dict[str, Any]:
    """Return the body of an error in the form that the operation has: eSIMs have one of their own."""
    if template is None or not template.startswith(_ESIM_PATHS):
        return error.body
    found = "; ".join(one["message"] for one in error.errors or ())
    return {"status_code": error.status, "message": found or error.message}


def finding(token: str, message: str) -> dict[str, Any]:
    """One entry of ``errors``."""
    return {"error_code": ERRORS[token][1], "error_token": token, "message": message}


def invalid(*findings: Mapping[str, Any], status: int | None = None) -> ApiError:
    """A 422 that lists what is wrong with the input; where the operation has no 422, its ``status``."""
    return ApiError("InputValidationFailed", "Input validation failed", errors=findings, status=status)


def wrong(message: str, token: str = "InvalidFormat", status: int | None = None) -> ApiError:  # noqa: S107
    """A 422 with one finding."""
    return invalid(finding(token, message), status=status)


def no_reference(resource: str, value: object) -> ApiError:
    """A 422 for something in a body that refers to nothing."""
    return wrong(f"Invalid reference to {resource} with id {value}", "InvalidReference")


def not_found(resource: str, value: object) -> ApiError:
    """A 404 that names what is missing."""
    return ApiError("NotFound", f"{resource} with id {value} not found")

"""Users and their roles."""

from __future__ import annotations

from airflow_provider_emnify.operators.user.account import (
    EmnifyCreateUserOperator,
    EmnifyDeleteUserOperator,
    EmnifyInviteUserOperator,
    EmnifyUpdateUserOperator,
)
from airflow_provider_emnify.operators.user.roles import EmnifyAssignUserRolesOperator

__all__ = [
    "EmnifyAssignUserRolesOperator",
    "EmnifyCreateUserOperator",
    "EmnifyDeleteUserOperator",
    "EmnifyInviteUserOperator",
    "EmnifyUpdateUserOperator",
]

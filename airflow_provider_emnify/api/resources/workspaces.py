"""Workspaces: the organisations that a user works in, and their users."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import UserStatus
from airflow_provider_emnify.api.resources.fields import ref
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Day, Id, Ids, Row, TextId


class Workspaces(Resource):
    """The Workspaces of users, as ``client.workspaces``.

    Most of it needs the administrator role in the Workspace.
    """

    @declared("GET", "/api/v2/user/{user_id}/workspace", ids=int)
    def list(self, user_id: TextId) -> Listing:
        """List the Workspaces of a user, with the user's status and roles in each.

        See https://docs.emnify.com/developers/api/workspaces/get-assigned-workspaces

        :param user_id: Id of the user.
        """

    @operation("POST", "/api/v1/authenticate/workspace", secret=True)
    def switch(self, call: Call, workspace_id: Id) -> Row:
        """Return an auth token for another Workspace. This needs user credentials.

        The client keeps its own token. To work in another Workspace, give its credentials ``workspace_id``.

        See https://docs.emnify.com/developers/api/workspaces/authenticate-workspace

        :param workspace_id: Id of the Workspace.
        :returns: ``{"auth_token": ...}``, a secret.
        """
        token: Row = call.request(json={"target_organisation": ref(workspace_id, "workspace_id")})
        return token

    @declared("PUT", "/api/v2/user/{user_id}/default_organisation/{workspace_id}", answer="acknowledgement")
    def set_default(self, user_id: TextId, workspace_id: Id) -> None:
        """Make a Workspace the default one of a user.

        See https://docs.emnify.com/developers/api/workspaces/update-default-workspace

        :param user_id: Id of the user.
        :param workspace_id: Id of the Workspace.
        """

    @declared("DELETE", "/api/v2/user/{user_id}/workspace/{workspace_id}")
    def remove_user(self, user_id: TextId, workspace_id: Id) -> None:
        """Take a user out of a Workspace.

        See https://docs.emnify.com/developers/api/workspaces/unassign-workspaces

        :param user_id: Id of the user.
        :param workspace_id: Id of the Workspace.
        """

    @declared("PATCH", "/api/v2/user/{user_id}/workspace/{workspace_id}")
    def set_user_status(self, user_id: TextId, workspace_id: Id, *, status: UserStatus | str | int) -> None:
        """Suspend a user in a Workspace, or let them in again.

        See https://docs.emnify.com/developers/api/workspaces/update-workspace-user-status

        :param user_id: Id of the user.
        :param workspace_id: Id of the Workspace.
        :param status: ``active`` or ``suspended``.
        """

    @declared("PUT", "/api/v2/user/{user_id}/workspace/{workspace_id}/role/{role_id}")
    def assign_role(self, user_id: TextId, workspace_id: Id, role_id: Id) -> None:
        """Give a user a role in a Workspace.

        See https://docs.emnify.com/developers/api/workspaces/assign-user-role-by-id

        :param user_id: Id of the user.
        :param workspace_id: Id of the Workspace.
        :param role_id: Id of the role, see ``client.users.roles``.
        """

    @declared("DELETE", "/api/v2/user/{user_id}/workspace/{workspace_id}/role/{role_id}")
    def remove_role(self, user_id: TextId, workspace_id: Id, role_id: Id) -> None:
        """Take a role in a Workspace from a user.

        See https://docs.emnify.com/developers/api/workspaces/remove-user-role-by-id

        :param user_id: Id of the user.
        :param workspace_id: Id of the Workspace.
        :param role_id: Id of the role.
        """

    @declared("GET", "/api/v2/workspace/stats/daily", ids=int)
    def daily_stats(
        self, *, start_date: Day | None = None, end_date: Day | None = None, workspace_ids: Ids | None = None
    ) -> Any:
        """Return usage and cost of Workspaces by day.

        See https://docs.emnify.com/developers/api/workspaces/get-workspace-daily-stats

        :param start_date: First day. Alone it means six months.
        :param end_date: Last day. Alone it means its month.
        :param workspace_ids: Ids of the Workspaces. Without it: all that the client's user can see.
        """

"""What is known of GraphQL queries without emnify's schema, which is its own and changes without notice."""

from __future__ import annotations

import re
from typing import Any

GRAPHQL = "/graphql"


def is_mutation(query: str) -> bool:
    """Tell whether a query may change something: anything with that word is taken for one."""
    return re.search(r"\bmutation\b", query) is not None


def error_text(error: Any) -> str:
    """Return what one of an answer's ``errors`` says."""
    return str(error.get("message") or error) if isinstance(error, dict) else str(error)

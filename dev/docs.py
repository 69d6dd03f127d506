"""Write the reference pages of the docs from the code: every operation, and every stream."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_emnify.api.__main__ import reference, streams

DOCS = Path(__file__).resolve().parent.parent / "docs"

OPERATIONS = """# Every operation

What emnify's REST API can do, and the call for it on the client (`EmnifyHook().get_conn()`).
`EmnifyOperator` takes the same names: `EmnifyOperator(call="users.get", arguments={"user_id": 7})`.

*paged*: comes as a lazy iterator over all pages, see [Lists](../lists.md). *limit*: the narrowest of
emnify's [rate limits](../limits.md) that it falls under. *secret*: deals with a secret; `EmnifyOperator`
refuses it, or the argument that is named. What is named after *answer* is `***` in what `EmnifyOperator`
returns, and so is whatever else in any answer has the name of a secret (`token`, `password`, `api_key`,
`headers`, `pin` ...) or looks like one; `fingerprint` is one, `key_fingerprint` is none. A URL of a webhook
is secret, since emnify documents no other authentication for it: a callback is made with the hook inside a
task, a data stream with `EmnifyCreateDataStreamOperator`, which takes `url` from the extra of
`credentials_conn_id`.

`make docs` writes this page from the code.

"""
STREAMS = """# Every stream

What can be synced to object storage or a database, with its columns. `make docs` writes this page from the
code.

"""


def pages() -> dict[Path, str]:
    """Return each page with what it has to say."""
    return {
        DOCS / "reference" / "operations.md": f"{OPERATIONS}{reference()}\n",
        DOCS / "reference" / "streams.md": f"{STREAMS}{streams()}\n",
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
        print(f"written: {path.relative_to(DOCS.parent)}")

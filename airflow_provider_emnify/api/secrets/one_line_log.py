"""Logs in which a record is one line, whatever emnify's users have named their things.

A name with a line end in it could forge a line of a log that is plain text; one with an escape could steer
the terminal that shows it. Every log of this package is had from here, so that no call has to think of it.
"""

from __future__ import annotations

import logging

from airflow_provider_emnify.api.errors import one_line


class _OneLine(logging.Filter):
    """Makes one line of each record's message. A traceback keeps its lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a format that does not fit: the handler says so
            return True
        shown = one_line(message)
        if shown != message:
            record.msg, record.args = shown, ()
        return True


_ONE_LINE = _OneLine()


def one_line_log(name: str) -> logging.Logger:
    """Return the logger of a name, which writes one line for a record.

    :param name: The module, as for ``logging.getLogger``.
    """
    log = logging.getLogger(name)
    log.addFilter(_ONE_LINE)  # once, however often
    return log

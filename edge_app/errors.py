"""Errors that reach the user: one line each, and the exit code that the command line returns."""


class AppError(Exception):
    """Base of every error with a message meant for the user. The message says what, what was found, what is allowed."""

    exit_code = 1


class UsageError(AppError):
    """A bad argument, setting or artefact."""

    exit_code = 2


class PortError(AppError):
    """An endpoint that cannot be bound: in use, or not permitted."""

    exit_code = 3


class SourceError(AppError):
    """A camera or file that cannot be opened or decoded."""

    exit_code = 4


class GaveUpError(AppError):
    """The supervisor's restart budget is spent."""

    exit_code = 5

"""Which HTTP status stands for which error: each for one class, since the server writes it and the client reads it the other way round."""

from __future__ import annotations

from http import HTTPStatus

from eventflow import errors
from eventflow.errors import EventflowError

STATUSES: dict[type[EventflowError], HTTPStatus] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.ParameterError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.EventConflict: HTTPStatus.CONFLICT,
    errors.NoDaemon: HTTPStatus.NOT_IMPLEMENTED,
    errors.EngineClosed: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.JournalFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.JournalError: HTTPStatus.BAD_GATEWAY,
    EventflowError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def status_of(error: EventflowError) -> HTTPStatus:
    """Give the status of an error: that of its class, or of the nearest class above it."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def error_of(status: int) -> type[EventflowError]:
    """Give the class of the errors that a status stands for."""
    return next((kind for kind, known in STATUSES.items() if known == status), EventflowError)

"""The HTTP API as an ASGI app: its routes.

create_app(engine)           in a daemon, or to be mounted in an app that embeds the engine, where nobody else can reach it
create_hooks_app(engine)     its hooks alone: to be mounted where the world can reach it
create_reading_app(journal)  the same over a journal that is only read: what needs a daemon answers 501
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.routing import Route

from eventflow.engine.engine import Engine
from eventflow.ports import JournalView
from eventflow.project import Project
from eventflow.server.changing import Changing
from eventflow.server.hooks import Hooks
from eventflow.server.reading import Reading
from eventflow.server.replies import error_replies
from eventflow.server.sources import Logs, Sources


def create_app(engine: Engine, *, logs: Logs | None = None, stopping: Callable[[], Awaitable[None]] | None = None) -> Starlette:
    """Give the API of a running engine. Where `stopping` is given, answers that wait for news end as soon as it returns."""
    return _app(Sources(engine.ports.journal, engine, logs, stopping))


def create_hooks_app(engine: Engine) -> Starlette:
    """Give what answers deliveries at `/hooks/NAME`, and nothing else. Each delivery must prove itself to its hook."""
    return _starlette([_hooks(Sources(engine.ports.journal, engine))])


def create_reading_app(journal: JournalView, *, logs: Logs | None = None, project: Project | None = None) -> Starlette:
    """Give the API of a journal without an engine, as one reads it when no daemon is at work. `project` is the code, if it is loaded."""
    return _app(Sources(journal, logs=logs, project=project))


def _app(sources: Sources) -> Starlette:
    looks, does = Reading(sources), Changing(sources)
    routes = [
        Route("/api/health", looks.health),
        Route("/api/pipelines", looks.pipelines),
        Route("/api/pipelines/{pipeline}", looks.pipeline),
        Route("/api/pipelines/{pipeline}/pause", does.pause_pipeline, methods=["POST"]),
        Route("/api/pipelines/{pipeline}/unpause", does.unpause_pipeline, methods=["POST"]),
        Route("/api/runs", looks.runs),
        Route("/api/runs", does.submit, methods=["POST"]),
        Route("/api/runs/{run}", looks.run),
        Route("/api/runs/{run}/logs", looks.logs),
        Route("/api/runs/{run}/cancel", does.cancel, methods=["POST"]),
        Route("/api/runs/{run}/pause", does.pause, methods=["POST"]),
        Route("/api/runs/{run}/unpause", does.unpause, methods=["POST"]),
        Route("/api/runs/{run}/answer", does.answer, methods=["POST"]),
        Route("/api/runs/{run}/rerun", does.rerun, methods=["POST"]),
        Route("/api/runs/{run}/resolve", does.resolve, methods=["POST"]),
        Route("/api/waiting", looks.waiting),
        Route("/api/facts", looks.facts),
        Route("/api/events", looks.events),
        Route("/api/events", does.publish, methods=["POST"]),
        Route("/api/events/{event}", looks.event),
        Route("/api/sensors", looks.sensors),
        Route("/api/sensors/{sensor}", looks.sensor),
        Route("/api/sensors/{sensor}/pause", does.pause_sensor, methods=["POST"]),
        Route("/api/sensors/{sensor}/resume", does.resume_sensor, methods=["POST"]),
        Route("/api/sensors/{sensor}/poke", does.poke_sensor, methods=["POST"]),
        Route("/api/why/{what:path}", looks.why),
        _hooks(sources),
    ]
    return _starlette(routes)


def _hooks(sources: Sources) -> Route:
    return Route("/hooks/{name}", Hooks(sources).receive, methods=["POST"])


def _starlette(routes: list[Route]) -> Starlette:
    app = Starlette(routes=routes, exception_handlers=error_replies())
    app.router.redirect_slashes = False  # an address is right or wrong
    return app

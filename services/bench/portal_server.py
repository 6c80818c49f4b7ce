"""The portal of ``bench portal`` in a process of its own, and beside it a bare page of the same framework.

It prints one line of JSON: the two addresses. ``/statements`` of the bare one tells how many statements reached the
database so far.
"""

import asyncio
import json
import sys
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy import event

from services.app import portal_tasks
from services.app.container import models, use_models
from services.app.server import keep_what_is_loaded
from services.app.web import create_app
from services.domain.process.model_library import ModelLibrary
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.http import address_of, listen, serve
from services.runtime.logs import configure_logs
from services.runtime.models import read
from services.runtime.rules import Rules
from services.runtime.settings import Settings

BARE = "<!doctype html><title>bare</title><p>" + "x" * 20_000


async def _serve(url: str) -> None:
    configure_logs("warning")
    use_models(None)
    settings = Settings.load()
    database = open_database(url, SystemClock(), Rules(max_use_days=30))
    statements = [0]

    def count(*_: Any) -> None:
        statements[0] += 1

    event.listen(database.engine, "before_cursor_execute", count)
    shown = ModelLibrary(read(path for path in models() if path.suffix == ".bpmn"))
    portal = create_app({"settings": settings, "database": database, "models": shown})
    keep_what_is_loaded()
    listeners = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    async with anyio.create_task_group() as group:
        for app, listener in zip((portal, _bare(statements)), listeners, strict=True):
            group.start_soon(serve, app, listener)
        group.start_soon(portal_tasks.count(database).run)
        sys.stdout.write(json.dumps([address_of(listener) for listener in listeners]) + "\n")
        sys.stdout.flush()


def _bare(statements: list[int]) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def show() -> Response:
        return HTMLResponse(BARE)

    @app.get("/statements")
    async def tell() -> Response:
        return JSONResponse(statements[0])

    return app


if __name__ == "__main__":
    asyncio.run(_serve(json.load(sys.stdin)))

"""Turn rejections into gRPC errors with the texts of Zeebe's gateway."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

import grpc
from grpc.aio import ServicerContext as Context

from services.engine.errors import Rejection, RejectionType

DEFAULT_TENANT = "<default>"

Request = TypeVar("Request")
Response = TypeVar("Response")
_log = logging.getLogger(__name__)


def rpc_handler(
    intent: str,
) -> Callable[
    [Callable[[Any, Request, Context], Awaitable[Response]]], Callable[[Any, Request, Context], Awaitable[Response]]
]:
    """Respond to a Rejection with its status, to other errors with INTERNAL.

    ``intent`` is Zeebe's name of the command, which its error texts begin with.
    """

    def decorate(
        method: Callable[[Any, Request, Context], Awaitable[Response]],
    ) -> Callable[[Any, Request, Context], Awaitable[Response]]:
        @wraps(method)
        async def handle(self: Any, request: Request, context: Context) -> Response:
            try:
                _check_tenants(method.__name__, request)
                return await method(self, request, context)
            except Rejection as rejection:
                text = f"Command '{intent}' rejected with code '{rejection.reason.name}': {rejection}"
                await context.abort(grpc.StatusCode[rejection.reason.status], text)
                raise
            except grpc.aio.BaseError:
                raise  # already a response, or the connection is closed
            except Exception as error:
                _log.exception("the engine could not handle %s", method.__name__)
                text = f"The engine could not answer {method.__name__}: {type(error).__name__}: {error}"
                await context.abort(grpc.StatusCode.INTERNAL, text)
                raise

        return handle

    return decorate


def _check_tenants(method: str, request: Any) -> None:
    """Raise Rejection for tenants: multi-tenancy is off, as Zeebe's default."""
    creation = getattr(request, "request", request)  # inside a creation with result
    names: Iterable[str] = getattr(request, "tenantIds", None) or [getattr(creation, "tenantId", "")]
    for name in names:
        if name.strip() not in ("", DEFAULT_TENANT):
            raise Rejection(
                RejectionType.INVALID_ARGUMENT,
                f"Expected to handle gRPC request {method} with tenant identifier '{name}', "
                "but multi-tenancy is disabled",
            )

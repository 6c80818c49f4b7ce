"""The provider as a route gets it: a parameter of the type ``GivenProvider``."""

from typing import Annotated, cast

from fastapi import Depends, Request

from services.domain.accounts.single_sign_on.provider import Provider


def provider(request: Request) -> Provider | None:
    """None where people sign in by the passwords of this desk alone."""
    return cast("Provider | None", request.app.state.dependencies.get("provider"))


GivenProvider = Annotated[Provider | None, Depends(provider)]

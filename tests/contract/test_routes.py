"""The routes: each is registered once, and the description names no module of ours."""

from collections import Counter

from fastapi.routing import APIRoute

from services.app.web import create_app, routers_of


def test_no_route_is_registered_twice() -> None:
    routes = [
        (method, route.path)
        for kind in ("api", "pages")
        for router in routers_of(kind)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]

    assert [route for route, times in Counter(routes).items() if times > 1] == []
    assert len(routes) >= 300


def test_the_description_names_its_models_by_what_they_are() -> None:
    models = create_app({}).openapi()["components"]["schemas"]

    assert [name for name in models if "__" in name] == []

"""The routes: each is registered once, and the description names no module of ours."""

from collections import Counter
from typing import Any

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


def test_every_answer_about_a_case_is_described() -> None:
    description = create_app({}).openapi()
    answers = [
        (path, answer)
        for path, operations in description["paths"].items()
        if path.startswith("/api/cases")
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]

    assert len(answers) >= 4
    for path, answer in answers:
        [content] = answer["content"].values()
        assert _is_described(content["schema"]), path
    case = description["components"]["schemas"]["CaseView"]["properties"]
    assert {"state", "stateDetail", "overwriteAt", "items", "reviews", "handOver", "nextActs"} <= case.keys()


def _is_described(schema: dict[str, Any]) -> bool:
    options = schema.get("anyOf", [schema])
    return all("$ref" in option or option.get("type") == "null" for option in options)

"""The application form as a browser sends it."""

import re
from typing import Any
from uuid import uuid4

import httpx

FIELDS = {
    "purposeCategory": "security-incident",
    "reason": "三号门货物丢失，需要确认经过",
    "purpose": "核对出入库人员与时间的记录",
    "legalBasis": "internal-management",
    "wayOfUse": "view",
    "placeOfUse": "安全保卫部办公室",
    "requestedUseDays": "5",
    "custodianId": "keeper",
}
ITEM = {"items-0-cameraId": "camera", "items-0-start": "2031-03-04T10:00:00", "items-0-end": "2031-03-04T10:20:00"}
HURRIED = {"HX-Request": "true"}


def filled(application_id: str | None = None, version: int = 0, **changes: Any) -> dict[str, Any]:
    """A complete form; ``changes`` by name, with ``__`` for ``-``; None leaves a field out."""
    given = {name.replace("__", "-"): value for name, value in changes.items()}
    form = {"applicationId": application_id or str(uuid4()), "version": str(version), **FIELDS, **ITEM, **given}
    return {name: value for name, value in form.items() if value is not None}


async def saved(browser: httpx.AsyncClient, form: dict[str, Any]) -> str:
    """Save the form as the page does by itself; the application's id."""
    answer = await browser.post("/apply/save", data=form, headers=HURRIED)
    assert answer.status_code == 200, answer.text
    return str(form["applicationId"])


def value_of(page: str, name: str) -> str:
    """The value of the page's input of this name, as it stands in the HTML."""
    found = re.search(rf'name="{re.escape(name)}"[^>]*?value="([^"]*)"', page)
    assert found is not None, name
    return found[1]

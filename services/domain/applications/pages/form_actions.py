"""What the form's buttons do with what is typed: they work the same with and without JavaScript."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.domain.applications.pages import typed_form
from services.web.forms import TypedForm

STARS = ("star", "unstar")


@dataclass(frozen=True)
class Done:
    """The form after the button ``act``; ``picking``: the item, from 0, whose camera is being chosen.

    ``people``: the one of ``typed_form.PEOPLE`` that the button is about; ``camera_id``: the camera that gets a star or
    loses it; ``place``: where the page of cameras begins that is asked for.
    """

    typed: TypedForm
    picking: int | None
    act: str = "save"
    people: str = ""
    camera_id: str = ""
    place: str = ""


def apply(typed: TypedForm, files: Mapping[str, Mapping[str, str]]) -> Done:
    """``add``, ``remove-0``, ``pick-0``, ``camera-0-<id>``, ``file--<id>`` change the items.

    ``search-0`` searches cameras, ``search-0-<place>`` shows the page behind that place, ``star-0-<id>`` and
    ``unstar-0-<id>`` mark a favourite and take the mark off.

    ``person-<field>-<id>`` names a person, ``find-<field>`` looks for one; others just save, such as ``attachments``
    and ``behalf``, which go on to their pages.

    ``files`` has the item for each file that may be added.
    """
    act, *where = typed.text("act", "save").split("-", 2)
    index = int(where[0]) if where and where[0].isdecimal() and len(where[0]) < 4 else None
    items: list[Mapping[str, str]] = list(typed_form.items_of(typed))
    picking = None
    if act == "add":
        # the next camera is mostly asked for the same span
        last = items[-1] if items else dict.fromkeys(typed_form.ITEM, "")
        items.append({**last, "cameraId": ""})
        picking = len(items) - 1
    elif act == "file" and len(where) == 2:
        if where[1] in files:
            items = [*(item for item in items if any(item.values())), files[where[1]]]
    elif index is not None and index < len(items):
        if act == "remove":
            del items[index]
        elif act in ("pick", "search", *STARS):
            picking = index
        elif act == "camera" and len(where) == 2:  # the item, and the camera's id
            items[index] = {**items[index], "cameraId": where[1]}
    changed = typed_form.with_items(dict(_fields(typed)), items)
    of_people = where[0] if where and where[0] in typed_form.PEOPLE else ""
    if act == "person" and of_people and len(where) == 2:
        changed = typed_form.with_person(changed, of_people, where[1])
    given = where[1] if len(where) == 2 and picking is not None else ""
    return Done(
        typed_form.typed_of(changed),
        picking,
        act,
        of_people,
        camera_id=given if act in STARS else "",
        place=given if act == "search" else "",
    )


def _fields(typed: TypedForm) -> list[tuple[str, str | list[str]]]:
    found: dict[str, list[str]] = {}
    for name, value in typed.fields.multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return [(name, texts if name in typed_form.LISTS else texts[-1]) for name, texts in found.items()]

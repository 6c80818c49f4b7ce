"""Search cases by the footage that they ask for, as their lines in lists show it."""

from sqlalchemy import ColumnElement, select

from services.database.listing import Listing
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera


def asks_for_camera(listing: Listing) -> ColumnElement[bool]:
    """Build the condition on ``Application`` that a camera that it asks for has the searched text in name or place.

    It looks at the items of each case that the query comes to; the register, which searches all cases, collects them
    from the cameras instead.
    """
    named = (Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en)
    items = select(Item.id).where(
        Item.application_id == Application.id,
        Item.dropped_in_round.is_(None),
        Item.camera_id.in_(select(Camera.id).where(listing.mentioned(*named))),
    )
    return items.correlate(Application).exists()

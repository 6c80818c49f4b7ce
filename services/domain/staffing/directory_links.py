"""Link a person again whose entry was deleted in the directory and made anew, with another identifier (R2, R52).

By itself nobody is linked again: the username alone does not say that it is the same person. An administrator says so;
of somebody who decides, with a second person. The person is told, as of every act on the account.
"""

from collections.abc import Sequence

from sqlalchemy import select

from services.database.tables.staffing import DirectoryPerson
from services.database.unit_of_work import UnitOfWork
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.accounts.changes import get_person_for_update, refuse_oneself
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import deciders
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.staffing import directory_import
from services.domain.staffing.ldap_client import Entry
from services.runtime.errors import Refused
from services.runtime.settings.directory import DirectorySettings
from services.runtime.translations import Message

LINK = "directory-link"  # the kind of its request


def link_again(
    uow: UnitOfWork, settings: DirectorySettings, entries: Sequence[Entry], person_id: str, entry_id: str
) -> None:
    """Link a person to a new entry of the same username, whose own is gone from the directory. Administrators only.

    Refused for any other entry, and of somebody who decides until a second person has confirmed it.
    """
    lock_setup(uow)
    require_administrator(uow)
    left_out = directory_import.preview(uow, settings, entries).left_out
    entry = next((one for one in left_out if (one.person_id, one.entry_id) == (person_id, entry_id)), None)
    if entry is None:
        raise Refused(
            "not-to-link",
            "Only a person whose own entry is gone can be linked, and only to a new entry with the same username: "
            "check again what would change.",
        )
    carry_out(uow, person_id, entry_id, entry.name)


def carry_out(uow: UnitOfWork, person_id: str, entry_id: str, name: str) -> None:
    """Do so, or ask for it; ``name`` is that of the entry. Refused where the entry is somebody's by now."""
    lock_setup(uow)
    require_administrator(uow)
    refuse_oneself(uow, person_id, Message("You cannot link your own account: ask another administrator."))
    person = get_person_for_update(uow, person_id)
    row = uow.session.get(DirectoryPerson, person_id, with_for_update=True, populate_existing=True)
    taken = uow.session.scalar(select(DirectoryPerson).where(DirectoryPerson.entry_id == entry_id))
    if row is None or taken is not None:
        raise Refused("directory-changed", "The directory or the people here have changed: check again.")
    if deciders.decides(uow, person_id):
        change = {"entry": entry_id, "name": name, "was": row.entry_id}
        change_requests.authorise(uow, Change(LINK, person_id, change, {"login": person.login}))
    else:
        change_requests.notify_change(uow, person_id)
    was, row.entry_id, row.linked_at = row.entry_id, entry_id, uow.now
    audit_trail.record(uow, "directory-linked", "person", person_id, entry=entry_id, was=was)

"""Who may read a review: those of its post, and whoever may see what it is about."""

from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds, policy, queries, storage, violations, visibility
from services.runtime.errors import NotFound
from services.runtime.translations import Message

DISPOSAL = "disposal"  # of matters


def require_readable(uow: UnitOfWork, review: Review) -> None:
    """NotFound unless the acting person holds a post for the review or may see its case.

    Of a matter that not everybody sees who sees its case, only who sees the matter besides.
    """
    application = uow.session.get_one(Application, review.application_id)
    me = uow.actor.id
    directory = queries.load_directory(uow)
    administrator = directory.holds(me, "administrator")
    excluded = administrator or me in application.subject_ids
    if not excluded:
        groups = policy.pools_of(directory, queries.load_facts(uow, application.id), review)
        if any(me in group for group in groups):
            return
    if administrator or not _may_see_matter(uow, review) or not _may_see_case(uow, application):
        raise NotFound(Message("review"), review.id)


def _may_see_matter(uow: UnitOfWork, review: Review) -> bool:
    """Return False where the review is about a matter that the acting person does not see: the case names its id."""
    if review.matter_id is None:
        return True
    matter = uow.session.get_one(Matter, review.matter_id)
    me, directory = uow.actor.id, queries.load_directory(uow)
    if matter.kind in holds.KINDS:
        return holds.may_read(directory, me)
    if matter.kind in violations.KINDS:
        return violations.sees(uow, matter)
    return matter.kind != DISPOSAL or storage.may_read_disposals(directory, me)


def _may_see_case(uow: UnitOfWork, application: Application) -> bool:
    try:
        visibility.get_visible(uow, application.id)
    except NotFound:
        return False
    return True

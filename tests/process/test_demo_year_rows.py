"""The rows of the demo year look like those of a case that went through the real process, column by column."""

from pathlib import Path

from case_people import People
from demo_year import demo_year
from row_shapes import TABLES, differences, shapes_of

from services.database.unit_of_work import Actor

ARCHIVED = "footage-re-archived"
ACTOR = Actor("system", "test")
# Rows alone have no files in the stores: documents are not filed, masters have no label, copies are gone.
DIFFERENT = {
    *("documents:application-form.filed_at", "documents:retrieval-record.filed_at"),
    *("copies.discarded_at", "copies.discarded_because", "masters.label_version"),
    # a task of the portal fills these in later, or never for what was not returned for correction
    *("applications.visits_added_at", "applications.correction_seconds"),
}
# No engine has run a case of the year: its rows name no version of a model.
NAMES = ("process_version", "process_definition_key")
OF_AN_ENGINE = {
    *(f"applications.{name}" for name in ("process_id", "model_sha256", *NAMES)),
    *(
        f"process_steps:Task_{element}.{name}"
        for element in (
            *("OpenCase", "PreserveFootage", "PreliminaryReview", "SecurityReview", "OpenReview", "FileApplication"),
            *("NotifyStorage", "RetrieveFootage", "EncryptCopy", "HandOver", "InspectReturn", "ReArchive"),
        )
        for name in NAMES
    ),
}
# Papers that are written with their files.
NOT_MADE = {
    "custody_entries:inspected",
    *(f"documents:{kind}" for kind in ("custody-log", "hand-over-receipt", "label", "return-inspection")),
}


async def test_rows_of_the_year_look_like_those_of_a_real_case(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1")
    await desk.accept(case)
    await desk.returned(case)
    real = desk.look(shapes_of, ARCHIVED)
    with demo_year(tmp_path) as year:
        made = year.run_now(ACTOR, shapes_of, ARCHIVED)

    assert set(differences(real, made)) - DIFFERENT - OF_AN_ENGINE == set()
    assert real.keys() - made.keys() == NOT_MADE
    assert len(real.keys() & made.keys()) > len(TABLES)

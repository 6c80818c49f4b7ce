"""The rows of the demo year look like those of a case that went through the real process, column by column."""

from pathlib import Path

from case_people import People
from demo_year import demo_year
from row_shapes import TABLES, differences, shapes_of

from services.database.unit_of_work import Actor

ARCHIVED = "footage-re-archived"
ACTOR = Actor("system", "test")


async def test_rows_of_the_year_look_like_those_of_a_real_case(desk: People, tmp_path: Path) -> None:
    case = await desk.apply("cam1")
    await desk.accept(case)
    await desk.returned(case)
    real = desk.look(shapes_of, ARCHIVED)
    with demo_year(tmp_path) as year:
        made = year.run_now(ACTOR, shapes_of, ARCHIVED)

    import json

    Path("/tmp/diff.json").write_text(
        json.dumps(
            {
                "d": differences(real, made),
                "r": sorted(real.keys() - made.keys()),
                "m": sorted(made.keys() - real.keys()),
            },
            indent=1,
            ensure_ascii=False,
        )
    )
    Path("/tmp/real.json").write_text(json.dumps(real, indent=1))
    assert len(TABLES) > 1

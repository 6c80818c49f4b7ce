"""The path of a broken rule, as ``policy check --paths`` writes it, played on an engine behind Zeebe's gateway.

It goes the same way there as on the embedded engine's core, to the step that breaks the rule: on an engine of ours
that is reached in no other way, and on the broker at ZEEBE_ADDRESS with its clock at ZEEBE_CLOCK.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import amount
import pytest
from edit_lists import Edit
from edited_models import with_one_mark
from further_policy_edits import BREAKING, BREAKING_BESIDE
from golden_difference import compare, own_side
from golden_gateway import GatewayEngine
from golden_scenario import CoreEngine
from played_path import PlayedPath, make_ready, start_after

from services.designers.policy_check import listing
from services.designers.policy_check.check import check
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

ADDRESS, CLOCK, RECORDS = (os.environ.get(f"ZEEBE_{name}") for name in ("ADDRESS", "CLOCK", "RECORDS"))
SAMPLE = (
    "the_department_is_skipped",
    "the_limit_ends_the_review",
    "an_inspection_ends_with_the_first_case",
    "leaks_go_to_management_whoever_leaked",
    "a_wrong_copy_is_used_on",
)
EDITS = [edit for edit in [*BREAKING, *BREAKING_BESIDE] if amount.all_of_it() or edit.name in SAMPLE]


@pytest.fixture(scope="module", params=["ours", pytest.param("theirs", marks=pytest.mark.zeebe)])
def side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayEngine]:
    if request.param == "ours":
        with own_side(tmp_path_factory.mktemp("ours")) as engine:
            yield engine
        return
    if not ADDRESS or not CLOCK:
        pytest.skip("ZEEBE_ADDRESS and ZEEBE_CLOCK are not both set: no broker is there to play the paths on.")
    engine = GatewayEngine(ADDRESS, CLOCK, Path(RECORDS) if RECORDS else None)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def path_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Edit], Path | None]:
    """The folder that the check of an edit wrote for its rule; None where the rule breaks on no path."""

    @cache
    def path_of(edit: Edit) -> Path | None:
        folder = tmp_path_factory.mktemp(edit.name)
        models = Path(shutil.copytree(BPMN, folder / "models"))
        if edit in BREAKING_BESIDE:
            (models / "video-retrieval.bpmn").unlink()  # takes most of the time, and is not edited
        elif not amount.all_of_it():
            with_one_mark(models)
        edit.apply(models)
        report = check(models, discover(), until=edit.found_by)
        listing.write_paths(report, models, folder / "paths", "en")
        [verdict, *_] = [verdict for verdict in report.broken if verdict.rule == edit.found_by]
        return folder / "paths" / edit.found_by if verdict.counterexample is not None else None

    return path_of


@pytest.mark.timeout(900)
@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_a_path_goes_the_same_way_behind_the_gateway(
    edit: Edit,
    side: GatewayEngine,
    path_of: Callable[[Edit], Path | None],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    written = path_of(edit)
    if written is None:
        assert edit.name not in SAMPLE
        return
    start = start_after(side.now())
    path = make_ready(written, tmp_path / edit.found_by, start)
    core = CoreEngine()
    for engine in (core, side):
        engine.show(start.timestamp() * 1000)

    comparison = compare(path, core, side, PlayedPath)

    record_property("partly", comparison.partly)
    if comparison.differences:
        pytest.fail(f"They differ in {comparison}", pytrace=False)

"""Every golden scenario on the broker at ZEEBE_ADDRESS and on our engine beside it: both have to do the same.

With its clock at ZEEBE_CLOCK scenarios that turn it are run to their end; with its records in the file ZEEBE_RECORDS
(JSON lines) elements, variables, incidents and what is left open are compared too, and not the answers alone.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from golden_difference import compare, own_side
from golden_gateway import GatewayEngine

GOLDEN = Path(__file__).parent / "golden"
ADDRESS, CLOCK, RECORDS = (os.environ.get(f"ZEEBE_{name}") for name in ("ADDRESS", "CLOCK", "RECORDS"))

if not ADDRESS:
    pytest.skip("ZEEBE_ADDRESS is not set: no broker is there to compare with.", allow_module_level=True)

pytestmark = pytest.mark.zeebe


@pytest.fixture(scope="module")
def theirs() -> Iterator[GatewayEngine]:
    side = GatewayEngine(str(ADDRESS), CLOCK, Path(RECORDS) if RECORDS else None)
    yield side
    side.close()


@pytest.fixture(scope="module")
def ours(theirs: GatewayEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayEngine]:
    with own_side(tmp_path_factory.mktemp("ours")) as side:
        side.show(theirs.now())
        yield side


@pytest.mark.parametrize("name", sorted(path.parent.name for path in GOLDEN.glob("*/scenario.json")))
def test_the_broker_and_the_engine_do_the_same(
    name: str, ours: GatewayEngine, theirs: GatewayEngine, record_property: Callable[[str, object], None]
) -> None:
    comparison = compare(GOLDEN / name, ours, theirs)

    record_property("partly", comparison.partly)
    if comparison.differences:
        pytest.fail(f"They differ in {comparison}", pytrace=False)

"""A function that only tests call shows nothing: it is found whatever it is called by, and nothing else is."""

from pathlib import Path

import pytest
from small_checkout import Checkout

from services.designers.policy_coverage.coverage import read_coverage

ASKING = "def ask():\n    return ask\n"
IMPORTED = "from services.lists import ask\ndef test_refused():\n    ask()\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    checkout = Checkout(tmp_path)
    checkout.write("services/lists.py", ASKING)
    return checkout


def faults(checkout: Checkout, test: str = IMPORTED) -> tuple[str, ...]:
    checkout.test("lists", test, '"R4", refuses=True')
    return read_coverage(checkout.root).faults


@pytest.mark.parametrize(
    "test",
    [
        IMPORTED,
        "from services import lists\ndef test_refused():\n    lists.ask()\n",
        "from services.lists import ask as asked\ndef test_refused():\n    run(asked)\n",
        "from services.lists import ask\ndef help():\n    ask()\ndef test_refused():\n    help()\n",
        "from services.lists import ask\ndef asked():\n    return ask()\ndef test_refused(asked): ...\n",
        "from services.lists import ask\nCASES = [ask]\ndef test_refused():\n    CASES[0]()\n",
    ],
    ids=["itself", "its module", "another name", "helper", "fixture", "table"],
)
def test_it_is_found_however_the_test_comes_to_it(checkout: Checkout, test: str) -> None:
    assert faults(checkout, test) == (
        "tests/test_lists.py::test_refused shows R4 by services.lists.ask, which tests alone call: "
        "test what the product calls",
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("services/lists.py", f"{ASKING}def page():\n    return ask()\n"),
        ("services/page.py", "from services.lists import ask\nTABLE = {'ask': ask}\n"),
        ("services/page.py", "from services import lists\nclass Page:\n    act = lists.ask\n"),
        ("services/page.py", "from .lists import ask as asked\ndef page():\n    asked()\n"),
        ("services/page.py", "import services.lists\nservices.lists.ask()\n"),
        ("services/lists.py", f"@router.get('/')\n{ASKING}"),
        ("services/lists.py", f"@group.command('ask')\n{ASKING}"),
    ],
    ids=["beside it", "table", "class", "another name", "whole name", "route", "command"],
)
def test_what_the_product_calls_is_not_found(checkout: Checkout, path: str, text: str) -> None:
    checkout.write(path, text)

    assert faults(checkout) == ()


def test_a_package_that_gives_it_on_does_not_call_it(checkout: Checkout) -> None:
    checkout.write("services/inner/__init__.py", "from services.inner.deep import ask\n")
    checkout.write("services/inner/deep.py", ASKING)
    test = "from services.inner import ask\ndef test_refused():\n    ask()\n"

    assert "services.inner.deep.ask" in faults(checkout, test)[0]

    checkout.write("services/page.py", "from services import inner\ninner.ask()\n")
    assert faults(checkout, test) == ()


def test_a_worker_is_called_by_its_job(checkout: Checkout) -> None:
    checkout.write("services/workers/__init__.py", "")
    checkout.write("services/workers/ask.py", "def handle(): ...\n")

    assert faults(checkout, "from services.workers import ask\ndef test_refused():\n    ask.handle()\n") == ()


def test_what_a_test_without_the_marker_calls_is_not_looked_at(checkout: Checkout) -> None:
    checkout.test("others", IMPORTED)

    assert faults(checkout, "def test_refused(): ...\n") == ()

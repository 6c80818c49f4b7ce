"""What an installation consists of is listed, with licences, and the list is that of today's locked packages."""

import importlib.util
import json
import sys
from importlib import metadata
from types import ModuleType

import pytest
from image_layout import DOCKERFILE

from services.runtime.places import DEPLOY


@pytest.fixture
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_licences", DEPLOY / "licences" / "write.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.tool("face-detector")
def test_the_bill_of_materials_and_the_page_are_of_today(licences: ModuleType) -> None:
    for path, text in licences.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: make licences"


def test_gpl_is_named_where_it_comes_along(licences: ModuleType) -> None:
    bill = json.loads(licences.BILL.read_text(encoding="utf-8"))
    [*av] = [one for one in bill["components"] if one["name"] == "av"]
    inside = {one["name"]: one["licenses"][0] for one in av[0]["components"]}

    assert inside["x264"] == inside["x265"] == {"license": {"id": "GPL-2.0-or-later"}}
    assert "GPL-2.0-or-later" in licences.PAGE.read_text(encoding="utf-8").partition("| package |")[0]
    assert 'image.licenses="Apache-2.0 AND GPL-2.0-or-later"' in DOCKERFILE
    references = [one["bom-ref"] for one in bill["components"]]
    assert len(references) == len(set(references))


def test_a_library_that_nobody_looked_up_is_refused(licences: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Carries(metadata.PathDistribution):
        files = [metadata.PackagePath("one.libs/libnew-12345678.so.1")]  # type: ignore[assignment]  # noqa: RUF012
        metadata = {"Name": "one"}  # type: ignore[assignment]  # noqa: RUF012

    with pytest.raises(LookupError, match=r"one carries libnew-12345678\.so\.1: enter its licence"):
        licences._libraries(Carries.__new__(Carries))

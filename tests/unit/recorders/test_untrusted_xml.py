"""XML from a device is data: what declares a document type, names a file or grows without end is refused."""

from pathlib import Path

import pytest

from services.recorders import untrusted_xml

BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
    "<a>&c;</a>"
)


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>',
        "<!DOCTYPE a><a/>",
        BOMB,
        "<a><b></a>",
        "",
        "<a/>" * 2,
        "\x00",
    ],
)
def test_what_is_more_than_data_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match=r"it is no XML|it declares a document type"):
        untrusted_xml.read(content.encode())


def test_no_file_is_read_in(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")

    with pytest.raises(ValueError, match="document type"):
        untrusted_xml.read(f'<!DOCTYPE a [<!ENTITY s SYSTEM "{secret.as_uri()}">]><a>&s;</a>'.encode())


def test_an_answer_is_read_whatever_its_prefixes() -> None:
    root = untrusted_xml.read(b'<?pi x?><d:a xmlns:d="urn:x"><!-- no --><d:b> 1 </d:b></d:a>')

    assert (untrusted_xml.name(root), untrusted_xml.text(root, "b")) == ("a", "1")

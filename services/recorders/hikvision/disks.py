"""The disks and network storages of a Hikvision recorder, as ISAPI lists them."""

from services.recorders import untrusted_xml
from services.runtime.storage_health import Disk, whole

PATH = "/ISAPI/ContentMgmt/Storage"
MOST = 256  # disks; the largest recorders have some dozens
UNIT = 1 << 20  # capacities are in MiB
# The words of the vendor's guide, in lower case. One that is in neither list is shown, and says nothing.
WORKS = frozenset({"ok", "normal", "idle", "sleeping", "online", "repairing", "reparing", "formating", "formatting"})
FAILS = frozenset(
    {
        *("error", "abnormal", "mismatch", "offline", "smartfailed", "notexist", "unformatted", "unplugged"),
        *("lost", "bad", "failed", "exception"),
    }
)


def disks_in(root: untrusted_xml.Node) -> list[Disk]:
    """Return the disks of an answer, its network storages included."""
    hard = [_disk(node, "hddName", "hdd") for node in untrusted_xml.children(root, "hddList", "hdd")]
    network = [_disk(node, "nasName", "nas") for node in untrusted_xml.children(root, "nasList", "nas")]
    return (hard + network)[:MOST]


def _disk(node: untrusted_xml.Node, named: str, kind: str) -> Disk:
    status = _word(node, "status")
    name = _word(node, named) or f"{kind} {_word(node, 'id')}".strip()
    known = status.lower()
    failed = False if known in WORKS else True if known in FAILS else None
    return Disk(name, status, failed, _bytes(node, "capacity"), _bytes(node, "freeSpace"))


def _word(node: untrusted_xml.Node, name: str) -> str:
    text = untrusted_xml.text(node, name)[:60]
    return text if text.isprintable() else ""


def _bytes(node: untrusted_xml.Node, name: str) -> int | None:
    text = untrusted_xml.text(node, name)
    known = text.isascii() and text.isdecimal() and len(text) <= 15
    return whole(int(text) * UNIT) if known else None

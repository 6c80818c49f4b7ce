"""What the guard of addresses lets through, and that the connection goes where the check looked."""

import ipaddress
from collections.abc import Callable

import httpx
import pytest

from services.runtime.addresses import AddressRefused, Guard, GuardedTransport, guarded_client, parse_networks


def names(**known: str) -> Callable[..., object]:
    async def resolve(host: str, _port: int) -> list[str]:
        if host not in known:
            raise OSError(host)
        return known[host].split()

    return resolve


INSIDE = [
    "https://127.0.0.1/",
    "https://127.9.9.9/",
    "https://0.0.0.0/",
    "https://169.254.169.254/latest/meta-data",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:5ef5:79fd:0:59d:80ff:fffe]/",  # Teredo for 127.0.0.1
    "https://[64:ff9b::7f00:1]/",
    "https://[ff02::1]/",
]
OTHERWISE = [
    ("https://2130706433/", "address-numeric"),
    ("https://0x7f000001/", "address-numeric"),
    ("https://0x7f.1/", "address-numeric"),
    ("https://017700000001/", "address-numeric"),
    ("https://127.1/", "address-numeric"),
    ("https://127.0.0.1./", "address-numeric"),
    ("https://example.0x10/", "address-numeric"),
    ("https://user:secret@hook.example/", "address-credentials"),
    ("https://@hook.example/", "address-credentials"),
    ("https://hook.example@127.0.0.1/", "address-credentials"),
    ("http://hook.example/", "address-scheme"),
    ("file:///etc/passwd", "address-scheme"),
    ("gopher://hook.example/", "address-scheme"),
    ("hook.example", "address-scheme"),
    ("//hook.example/", "address-scheme"),
    ("https:///path", "address-malformed"),
    ("https://[fe80::1%25eth0]/", "address-malformed"),
    ("https://[::1/", "address-malformed"),
    ("https://hook.example:99999/", "address-malformed"),
    ("https://hook.example\\@127.0.0.1/", "address-malformed"),
    ("https://hook.example/a b", "address-malformed"),
    ("https://hook.example/\r\nHost: other", "address-malformed"),
    ("https://hook.example\t.example/", "address-malformed"),
    ("https://①②⑦.0.0.1/", "address-malformed"),
    ("https://.../", "address-malformed"),
    ("https://hook.example/" + "a" * 2000, "address-malformed"),
    ("https://hook.example:22/", "address-port"),
    ("https://hook.example:25/", "address-port"),
    ("https://hook.example:0/", "address-port"),
]


@pytest.mark.parametrize("text", INSIDE)
def test_no_spelling_of_an_address_leads_inside(text: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        Guard().read(text)

    assert (refused.value.code, refused.value.status) == ("address-inside", 422)


@pytest.mark.parametrize(("text", "code"), OTHERWISE)
def test_an_address_that_can_be_misread_is_refused(text: str, code: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        Guard(field="url").read(text)

    assert (refused.value.code, refused.value.field) == (code, "url")
    assert refused.value.zh
    assert "secret" not in refused.value.en


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://hook.example", "https://hook.example"),
        ("https://HOOK.example:443/in?key=1#part", "https://hook.example/in?key=1"),
        ("https://hook.example:8443/", "https://hook.example:8443/"),
        ("https://192.168.1.20/", "https://192.168.1.20/"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/"),
    ],
)
def test_an_honest_address_is_read_and_written_in_one_way(text: str, url: str) -> None:
    assert Guard().read(text).url == url


async def test_a_name_is_refused_for_any_of_its_addresses() -> None:
    guard = Guard(resolver=names(mixed="192.168.1.20 127.0.0.1", good="192.168.1.20", link="fe80::1%eth0"))  # type: ignore[arg-type]

    assert await guard.resolve(guard.read("https://good/")) == ["192.168.1.20"]
    for host, code in (("mixed", "address-inside"), ("link", "address-inside"), ("nobody", "address-unknown")):
        with pytest.raises(AddressRefused) as refused:
            await guard.check(f"https://{host}/")
        assert refused.value.code == code


async def test_a_network_that_the_setting_lists_may_be_called() -> None:
    guard = Guard(parse_networks("127.0.0.0/8, ::1/128"), ("http",))

    assert (await guard.check("http://127.0.0.1:8080/")).port == 8080
    assert (await guard.check("http://[::1]:8080/")).host == "::1"
    with pytest.raises(AddressRefused):
        await guard.check("http://169.254.169.254/")


def test_networks_are_read_from_a_setting() -> None:
    assert parse_networks(None) == ()
    assert parse_networks("10.0.0.0/8") == (ipaddress.ip_network("10.0.0.0/8"),)
    with pytest.raises(ValueError, match="host bits"):
        parse_networks("10.0.0.1/8")


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name that answers differently the second time (rebinding) is checked the second time too."""
    answers = iter(["192.168.1.20", "127.0.0.1"])

    async def rebinding(_host: str, _port: int) -> list[str]:
        return [next(answers)]

    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    transport = GuardedTransport(Guard(resolver=rebinding), httpx.MockTransport(answer))
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.post("https://hook.example/in", json={})).status_code == 200
        with pytest.raises(AddressRefused):
            await client.post("https://hook.example/in", json={})

    [request] = seen
    assert (request.url.host, request.headers["host"]) == ("192.168.1.20", "hook.example")
    assert request.extensions["sni_hostname"] == "hook.example"


async def test_a_redirect_leads_no_further_than_the_guard() -> None:
    targets = iter(["http://hook.example/", "https://127.0.0.1/", "https://inside/"])

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": next(targets)})

    guard = Guard(resolver=names(**{"hook.example": "192.168.1.20", "inside": "127.0.0.1"}))  # type: ignore[arg-type]
    transport = GuardedTransport(guard, httpx.MockTransport(answer))
    async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
        for code in ("address-scheme", "address-inside", "address-inside"):
            with pytest.raises(AddressRefused) as refused:
                await client.get("https://hook.example/")
            assert refused.value.code == code


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "192.168.1.20":
            raise httpx.ConnectError("refused")
        return httpx.Response(200)

    guard = Guard(resolver=names(two="192.168.1.20 192.168.1.21"))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=GuardedTransport(guard, httpx.MockTransport(answer))) as client:
        assert (await client.get("https://two/")).status_code == 200


async def test_the_client_follows_nothing_and_takes_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with guarded_client(Guard()) as client:
        assert not client.follow_redirects
        with pytest.raises(AddressRefused):
            await client.get("https://127.0.0.1/")


async def test_a_secret_goes_by_plain_http_to_listed_networks_alone() -> None:
    async def resolver(_host: str, _port: int) -> list[str]:
        return ["10.1.2.3"]

    listed = Guard(parse_networks("10.0.0.0/8"), ("https", "http"), secret=True, resolver=resolver)
    other = Guard(parse_networks("192.168.0.0/16"), ("https", "http"), secret=True, resolver=resolver)

    await listed.check("http://group.inside/send")
    await other.check("https://group.inside/send")
    for address in ("http://10.1.2.3/send", "http://group.inside/send"):
        with pytest.raises(AddressRefused) as refused:
            await other.check(address)
        assert refused.value.code == "address-clear"

"""Bech32 (BIP 173) as age uses it: any length, one case, no segregated-witness meaning."""

from services.vault.age.errors import KeyInvalid

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def encode(prefix: str, data: bytes) -> str:
    """``data`` under the lower-case ``prefix``, with a checksum."""
    values = _regroup(data, 8, 5, pad=True)
    checked = _polymod([*_expand(prefix), *values, *[0] * 6]) ^ 1
    checksum = [(checked >> 5 * (5 - place)) & 31 for place in range(6)]
    return prefix + "1" + "".join(_ALPHABET[value] for value in [*values, *checksum])


def decode(text: str) -> tuple[str, bytes]:
    """The lower-case prefix and the bytes; raises KeyInvalid (which never repeats the text, it may be a secret)."""
    if text not in (text.lower(), text.upper()):
        raise KeyInvalid("the key mixes upper and lower case: copy it again.")
    prefix, separator, body = text.lower().rpartition("1")
    if not separator or not prefix or len(body) < 6 or any(letter not in _ALPHABET for letter in body):
        raise KeyInvalid("the key is not Bech32: copy it again, from its first letter to its last.")
    if not all("!" <= letter <= "~" for letter in prefix):
        raise KeyInvalid("the key's prefix holds letters that no key has: copy it again.")
    values = [_ALPHABET.index(letter) for letter in body]
    if _polymod([*_expand(prefix), *values]) != 1:
        raise KeyInvalid("the key's checksum does not match: a letter is wrong or missing, copy it again.")
    return prefix, bytes(_regroup(values[:-6], 5, 8, pad=False))


def _expand(prefix: str) -> list[int]:
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATOR):
            checksum ^= generator if (top >> place) & 1 else 0
    return checksum


def _regroup(values: bytes | list[int], width: int, into: int, *, pad: bool) -> list[int]:
    """Groups of ``width`` bits as groups of ``into`` bits; without ``pad`` the bits left over must be zero."""
    held, bits, groups = 0, 0, []
    for value in values:
        held = held << width | value
        bits += width
        while bits >= into:
            bits -= into
            groups.append(held >> bits & (1 << into) - 1)
        held &= (1 << bits) - 1
    if pad:
        return [*groups, held << (into - bits)] if bits else groups
    if bits >= width or held:
        raise KeyInvalid("the key's last letters are not canonical: copy it again.")
    return groups

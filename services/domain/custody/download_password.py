"""The password of a download: computed from the copy's own file key, stored nowhere, gone with the loan key."""

from services.vault.age import Reader

# No letter or digit that is taken for another when it is read out or copied by hand. 32 of them are 5 bits each.
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
GROUPS, GROUP = 6, 4


def password_of(reader: Reader, download_id: str) -> str:
    """Return the password, 120 bits such as ``7KQM-2XHC-…``; the same at each sending of one download.

    It is made of what only the opened copy gives: who has no loan key cannot compute it, and once the loan key is
    destroyed nobody can. A search through passwords is what its length has to withstand: a ZIP lets each be tried
    after 1,000 rounds of PBKDF2.
    """
    secret = reader.export_secret(f"password of download {download_id}".encode())
    letters = "".join(LETTERS[byte % len(LETTERS)] for byte in secret[: GROUPS * GROUP])
    return "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))

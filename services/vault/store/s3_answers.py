"""What an S3 server's answers mean to the vault, in one place (facts: minio-py raises five families of errors)."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import INSUFFICIENT_STORAGE

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from services.vault.store.protocol import StoreDown, StoreMissing, StoreRefused

_BUSY = {
    "InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown", "SlowDownRead",
    "SlowDownWrite", "XMinioServerNotInitialized", "NoSuchUpload", "ServerBusy",
}  # fmt: skip
_FULL = {
    "XMinioStorageFull",
    "XMinioDiskFull",
    "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded",
    "InsufficientStorage",
}
# What TLS libraries say of an answer without TLS.
_PLAIN = ("WRONG_VERSION_NUMBER", "wrong version number", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
MISSING = {"NoSuchKey", "NoSuchVersion"}
# A version under a lock: MinIO says InvalidRequest (400), AWS and SeaweedFS AccessDenied (403).
LOCKED = {"InvalidRequest", "AccessDenied", "ObjectLocked"}

_KEYS = "set {STORE}__ACCESS_KEY and {STORE}__SECRET_KEY to those of the store's account"
_ADVICE = {
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "AuthorizationHeaderMalformed": "set {STORE}__REGION to the store's region",
    "AccessDenied": "check {STORE}__SECRET_KEY, and the account's rights (docs/operations.md, Stores)",
    "RequestTimeTooSkewed": "set the clocks of the store and of this machine by NTP, they differ",
    "NoSuchBucket": "run `footage-desk doctor`, a bucket is not there",
}


@contextmanager
def answers(server: str, act: str) -> Iterator[None]:
    """Raise the store's errors for what minio and urllib3 raise; ``act`` is what was tried, as in "read masters/1"."""
    try:
        yield
    except MaxRetryError as error:
        if isinstance(error.reason, SSLError) and any(word in str(error.reason) for word in _PLAIN):
            advice = _named("set {STORE}__SECURE to false, or have the store speak TLS")
            raise StoreRefused(f"the store at {server} speaks HTTP without TLS: {advice}.") from error
        if isinstance(error.reason, SSLError):
            advice = _named("set {STORE}__CA_FILE to the certificate authority that issued it")
            raise StoreRefused(
                f"the store at {server} shows a certificate that is not trusted ({error.reason}): {advice}."
            ) from error
        raise _down(server, act, str(error.reason or error)) from error
    except HTTPError as error:
        raise _down(server, act, str(error)) from error
    except S3Error as error:
        raise _meaning(server, act, error) from error
    except ServerError as error:
        raise _down(server, act, str(error)) from error
    except InvalidResponseError as error:
        advice = _named("set {STORE}__ENDPOINT to its S3 port and {STORE}__SECURE to whether it speaks TLS")
        raise StoreRefused(f"{server} does not speak S3 (it answered {error} to {act!r}): {advice}.") from error
    except MinioException as error:
        raise StoreRefused(f"the store at {server} could not {act}: {error}.") from error


def _meaning(server: str, act: str, error: S3Error) -> Exception:
    code, said = error.code or "", f"{error.code}: {error.message}"
    if code in _FULL or error.response.status == INSUFFICIENT_STORAGE:
        message = f"the store at {server} is full and could not {act} ({said}): give it more room."
        return StoreDown(message, full=True)
    if code in _BUSY or error.response.status >= 500:
        return _down(server, act, said)
    if code in MISSING:
        return StoreMissing(f"the store at {server} could not {act}, there is no such object: check its key.")
    advice = _ADVICE.get(code, "see the store's own log")
    return StoreRefused(f"the store at {server} could not {act} ({said}): {_named(advice)}.")


def _named(advice: str) -> str:
    """The advice with the settings' names; a store is the primary or the replica, and does not know which."""
    both = " (FOOTAGE_DESK_REPLICA__… for the replica)" if "{STORE}" in advice else ""
    return advice.replace("{STORE}", "FOOTAGE_DESK_STORE") + both


def _down(server: str, act: str, said: str) -> StoreDown:
    return StoreDown(f"the store at {server} could not {act} for now ({said}): see that it runs and can be reached.")

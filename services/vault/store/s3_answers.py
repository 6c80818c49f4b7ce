"""What an S3 server's answers mean to the vault, in one place (facts: minio-py raises five families of errors)."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import INSUFFICIENT_STORAGE

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from services.runtime.translations import Message, Text
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

# A store is the primary or the replica, and does not know which: the advice names the primary's variables.
_KEYS = Message(
    "set FOOTAGE_DESK_STORE__ACCESS_KEY and FOOTAGE_DESK_STORE__SECRET_KEY (FOOTAGE_DESK_REPLICA__… for the replica) "
    "to those of the store's account"
)
_ADVICE = {
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "AuthorizationHeaderMalformed": Message(
        "set FOOTAGE_DESK_STORE__REGION (FOOTAGE_DESK_REPLICA__… for the replica) to the store's region"
    ),
    "AccessDenied": Message(
        "check FOOTAGE_DESK_STORE__SECRET_KEY (FOOTAGE_DESK_REPLICA__… for the replica), and the account's rights "
        "(docs/operations.md, Stores)"
    ),
    "RequestTimeTooSkewed": Message("set the clocks of the store and of this machine by NTP, they differ"),
    "NoSuchBucket": Message("run `footage-desk doctor`, a bucket is not there"),
}
_SEE_LOG = Message("see the store's own log")


@contextmanager
def answers(server: str, act: str | Text) -> Iterator[None]:
    """Raise the store's errors for what minio and urllib3 raise; ``act`` is what was tried, as in "read masters/1"."""
    try:
        yield
    except MaxRetryError as error:
        if isinstance(error.reason, SSLError) and any(word in str(error.reason) for word in _PLAIN):
            raise StoreRefused(
                Message(
                    "the store at {server} speaks HTTP without TLS: set FOOTAGE_DESK_STORE__SECURE "
                    "(FOOTAGE_DESK_REPLICA__… for the replica) to false, or have the store speak TLS.",
                    server=server,
                )
            ) from error
        if isinstance(error.reason, SSLError):
            raise StoreRefused(
                Message(
                    "the store at {server} shows a certificate that is not trusted ({error}): set "
                    "FOOTAGE_DESK_STORE__CA_FILE (FOOTAGE_DESK_REPLICA__… for the replica) to the certificate "
                    "authority that issued it.",
                    server=server,
                    error=str(error.reason),
                )
            ) from error
        raise _down(server, act, str(error.reason or error)) from error
    except HTTPError as error:
        raise _down(server, act, str(error)) from error
    except S3Error as error:
        raise _meaning(server, act, error) from error
    except ServerError as error:
        raise _down(server, act, str(error)) from error
    except InvalidResponseError as error:
        raise StoreRefused(
            Message(
                "{server} does not speak S3 (it answered {error} to “{act}”): set FOOTAGE_DESK_STORE__ENDPOINT "
                "(FOOTAGE_DESK_REPLICA__… for the replica) to its S3 port and FOOTAGE_DESK_STORE__SECURE to whether it "
                "speaks TLS.",
                server=server,
                error=str(error),
                act=act,
            )
        ) from error
    except MinioException as error:
        raise StoreRefused(
            Message("the store at {server} could not {act}: {error}.", server=server, act=act, error=str(error))
        ) from error


def _meaning(server: str, act: str | Text, error: S3Error) -> Exception:
    code, said = error.code or "", f"{error.code}: {error.message}"
    if code in _FULL or error.response.status == INSUFFICIENT_STORAGE:
        message = Message(
            "the store at {server} is full and could not {act} ({said}): give it more room.",
            server=server,
            act=act,
            said=said,
        )
        return StoreDown(message, full=True)
    if code in _BUSY or error.response.status >= 500:
        return _down(server, act, said)
    if code in MISSING:
        return StoreMissing(
            Message(
                "the store at {server} could not {act}, there is no such object: check its key.", server=server, act=act
            )
        )
    return StoreRefused(
        Message(
            "the store at {server} could not {act} ({said}): {advice}.",
            server=server,
            act=act,
            said=said,
            advice=_ADVICE.get(code, _SEE_LOG),
        )
    )


def _down(server: str, act: str | Text, said: str) -> StoreDown:
    return StoreDown(
        Message(
            "the store at {server} could not {act} for now ({said}): see that it runs and can be reached.",
            server=server,
            act=act,
            said=said,
        )
    )

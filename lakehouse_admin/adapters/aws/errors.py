"""AWS's errors in our words: one table from a service's error code to what a person, or a retry, does next.

Botocore has by then tried four times, with growing and jittered pauses, wherever trying
again may help (`lakehouse_admin.adapters.aws.clients`). What is left goes to the control
plane's own retries, or to a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from etl.errors import OperatorError, TransientError


class CredentialsError(OperatorError):
    """AWS does not know who asks: credentials are missing, expired or wrong."""

    guidance: ClassVar[str] = (
        "Give the worker a role, or set AWS_PROFILE (`aws sts get-caller-identity` must answer), then retry the run."
    )


class PermissionDeniedError(OperatorError):
    """The role may not do this on AWS."""

    guidance: ClassVar[str] = (
        "Add the permission that the message names to the role's policy, or correct which resource it is for; "
        "`manage.py lakehouse verify-aws` tells when nothing is missing."
    )


class WrongRegionError(OperatorError):
    """The resource is in another region than the settings say."""

    guidance: ClassVar[str] = "Set LAKEHOUSE_AWS_REGION to the region in which the resources were made."


class QuotaExceededError(OperatorError):
    """The AWS account has reached a quota."""

    guidance: ClassVar[str] = (
        "Ask for more at Service Quotas in the AWS console, or remove what is not used, then retry."
    )


class RequestRefusedError(OperatorError):
    """AWS refused a request."""

    guidance: ClassVar[str] = (
        "Compare the LAKEHOUSE_ settings with what exists on AWS: `manage.py lakehouse verify-aws`."
    )


_CREDENTIALS = frozenset({
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId",
    "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "RequestExpired", "SignatureDoesNotMatch", "UnrecognizedClientException",
})  # fmt: skip
_DENIED = frozenset({
    "403", "AccessDenied", "AccessDeniedException", "AccessDeniedFault", "AllAccessDisabled", "Forbidden",
    "KMSAccessDeniedFault", "KMSKeyNotAccessibleFault", "UnauthorizedOperation",
})  # fmt: skip
_REGION = frozenset({
    "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect",
})  # fmt: skip
_QUOTA = frozenset({
    "LimitExceededException", "ResourceNumberLimitExceededException", "ResourceQuotaExceededFault",
    "ServiceQuotaExceededException", "StorageQuotaExceededFault",
})  # fmt: skip
_THROTTLED = frozenset({
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "Throttling", "ThrottledException", "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
_SERVER_ERROR = 500
_NO_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)


def code_of(error: ClientError) -> str:
    """Return the service's own code for an error."""
    return error.response.get("Error", {}).get("Code", "")


@contextmanager
def aws_errors(doing: str, *, unavailable: type[TransientError]) -> Iterator[None]:
    """Turn botocore's errors into ours.

    Args:
        doing: What is being done, to begin the sentence with, e.g. ``The Glue job cannot be started``.
        unavailable: The port's error for "no answer, ask again".

    Raises:
        CredentialsError: AWS does not know who asks.
        PermissionDeniedError: It knows, and says no.
        WrongRegionError: The resource is elsewhere.
        QuotaExceededError: The account has no more of it.
        RequestRefusedError: Anything else that asking again would not change.
        TransientError: ``unavailable``: throttled, no connection, or a failure of AWS's own.
    """
    try:
        yield
    except ClientError as error:
        raise _translated(error, doing, unavailable) from error
    except _NO_CREDENTIALS as error:
        raise CredentialsError(f"{doing}: no usable AWS credentials were found.") from error
    except (NoRegionError, InvalidRegionError) as error:
        raise WrongRegionError(f"{doing}: LAKEHOUSE_AWS_REGION names no region.") from error
    except ParamValidationError as error:
        raise RequestRefusedError(f"{doing}: {error}") from error
    except BotoCoreError as error:
        raise unavailable(f"{doing}: AWS did not answer ({type(error).__name__}).") from error


def _translated(error: ClientError, doing: str, unavailable: type[TransientError]) -> OperatorError | TransientError:  # noqa: PLR0911 - one line a kind
    code = code_of(error)
    said = error.response.get("Error", {}).get("Message", "") or "no reason given"
    if code in _CREDENTIALS:
        return CredentialsError(f"{doing}: AWS does not accept the credentials ({code}).")
    if code in _DENIED:
        return PermissionDeniedError(f"{doing}: AWS denies it. {said}")
    if code in _REGION:
        return WrongRegionError(f"{doing}: the resource is in another region ({code}).")
    if code in _QUOTA:
        return QuotaExceededError(f"{doing}: a quota of the account is reached. {said}")
    if code in _THROTTLED:
        return unavailable(f"{doing}: AWS asks for fewer requests ({code}).")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_ERROR:
        return unavailable(f"{doing}: AWS has a failure of its own ({code}).")
    return RequestRefusedError(f"{doing}: AWS refuses it ({code}). {said}")

"""Object stores: one configuration for both libraries that speak to them, and what their errors mean.

Everything is read from the environment, here and nowhere else. obstore writes and reads all but the pictures that
training reads, which tensorstore does.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from pipeline.errors import AwayError, ConfigError, ForgeryPrepError, StoreError, first_line

SCHEMES = {  # of URLs, and what tensorstore calls such a store; None: it does not know it
    "s3": "s3",
    "gs": "gcs",
    "az": None,
}
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")  # the first that is set
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
OWN = "amazonaws.com"  # endpoints of the vendor itself, whose machines may have credentials without variables
CREDENTIALS = (  # variables any of which says where an S3 store's credentials come from
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
YES = ("1", "true", "yes", "on")
FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0  # seconds between tries: doubled from the one to the other
AWAY = re.compile(r"HTTP error|status code: (5\d\d|408|429)|retry attempts failed|UNAVAILABLE|DEADLINE_EXCEEDED")


@dataclass(frozen=True)
class Settings:
    """How an object store is reached.

    Attributes
    ----------
    endpoint : str or None
        URL of an S3 server of one's own; None for the vendor's.
    region : str
        Of S3.
    allow_http : bool
        Whether the endpoint may be one without encryption.
    anonymous : bool
        Whether requests to S3 are sent without credentials.
    retry : float
        Seconds for which a request that fails is tried again: the store is away until then, not damaged.
    timeout : float
        Seconds for one answer.
    """

    endpoint: str | None = None
    region: str = "us-east-1"
    allow_http: bool = False
    anonymous: bool = False
    retry: float = 120.0
    timeout: float = 60.0


def settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration from environment variables, `os.environ` if none are given.

    Raises
    ------
    ConfigError
        A number is none; the endpoint is `http://` and AWS_ALLOW_HTTP is not set.
    """
    given = os.environ if environment is None else environment
    endpoint = next((given[name].rstrip("/") for name in ENDPOINTS if given.get(name)), None)
    allow_http = given.get("AWS_ALLOW_HTTP", "").lower() in YES
    if endpoint and endpoint.startswith("http://") and not allow_http:
        raise ConfigError(
            f"The endpoint {endpoint} is not encrypted, and AWS_ALLOW_HTTP is not set; "
            "set AWS_ALLOW_HTTP=true, or name an https:// endpoint."
        )
    return Settings(
        endpoint=endpoint,
        region=next((given[name] for name in REGIONS if given.get(name)), Settings.region),
        allow_http=allow_http,
        anonymous=given.get("AWS_SKIP_SIGNATURE", "").lower() in YES,
        retry=_seconds(given, "FORGERY_RETRY_SECONDS", Settings.retry),
        timeout=_seconds(given, "FORGERY_TIMEOUT_SECONDS", Settings.timeout),
    )


def _seconds(given: Mapping[str, str], name: str, default: float) -> float:
    text = given.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{name} is {text!r}; give a number of seconds above 0.")
    return value


def parts_of(location: str) -> tuple[str, str, str]:
    """Return scheme, bucket and path inside it of a URL; the path has no slash at either end.

    >>> parts_of("s3://bucket/stores/a.zarr/")
    ('s3', 'bucket', 'stores/a.zarr')

    Raises
    ------
    ConfigError
        It is no URL of an object store, or names no folder inside the bucket.
    """
    url = urlsplit(location)
    path = url.path.strip("/")
    if url.scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise ConfigError(f"{location} is no place for a store: give a path, or a URL that begins with {known}.")
    if not url.netloc or not path:
        raise ConfigError(f"{location} names no folder in a bucket; give {url.scheme}://BUCKET/NAME.zarr.")
    return url.scheme, url.netloc, path


def connect(location: str) -> Any:
    """Return obstore's object for a folder in a bucket.

    Raises
    ------
    ConfigError
        The URL or the configuration makes no sense.
    """
    return _connect(*parts_of(location))


def connect_beside(location: str) -> tuple[Any, str]:
    """Return obstore's object for the folder that a store is in, and the store's name there."""
    scheme, bucket, path = parts_of(location)
    folder, _, name = path.rpartition("/")
    return _connect(scheme, bucket, folder), name


def _connect(scheme: str, bucket: str, path: str) -> Any:
    url, now = f"{scheme}://{bucket}/{path}", settings()
    own: dict[str, Any] = {}
    if scheme == "s3":
        _check_credentials(now)
        own = {"region": now.region, "skip_signature": now.anonymous}
        own |= {"endpoint": now.endpoint} if now.endpoint else {}
    try:
        return obstore.store.from_url(
            url,
            client_options={"allow_http": now.allow_http, "timeout": timedelta(seconds=now.timeout)},
            retry_config={
                "max_retries": 10_000,  # the time decides
                "retry_timeout": timedelta(seconds=now.retry),
                "backoff": {
                    "init_backoff": timedelta(seconds=FIRST_PAUSE),
                    "max_backoff": timedelta(seconds=LAST_PAUSE),
                    "base": 2,
                },
            },
            **own,
        )
    except (BaseError, ValueError) as error:
        raise ConfigError(f"{url} is no place for a store: {first_line(error)}.") from error


def _check_credentials(now: Settings) -> None:
    """Refuse an endpoint of one's own without credentials: asking the vendor's machines for some takes minutes."""
    if now.endpoint and OWN not in now.endpoint and not now.anonymous and not any(map(os.environ.get, CREDENTIALS)):
        raise ConfigError(
            f"There are no credentials for {now.endpoint}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or AWS_SKIP_SIGNATURE=true for a bucket that everybody may read."
        )


def for_tensorstore(location: str, path: str) -> dict[str, Any] | None:
    """Return tensorstore's specification of a folder inside a store in a bucket; None where it knows no such bucket."""
    scheme, bucket, folder = parts_of(location)
    driver, now = SCHEMES[scheme], settings()
    if driver is None:
        return None
    pauses = {
        "max_retries": tries(now.retry),
        "initial_delay": f"{FIRST_PAUSE:g}s",
        "max_delay": f"{LAST_PAUSE:g}s",
    }
    spec: dict[str, Any] = {"driver": driver, "bucket": bucket, "path": f"{folder}/{path}/"}
    if driver != "s3":
        return spec | {f"{driver}_request_retries": pauses}
    _check_credentials(now)
    keys = "environment" if os.environ.get("AWS_ACCESS_KEY_ID") else "default"
    spec |= {"aws_region": now.region, "s3_request_retries": pauses}
    spec |= {"aws_credentials": {"type": "anonymous" if now.anonymous else keys}}
    # libcurl's own limits are read once, when tensorstore is loaded
    os.environ.setdefault("TENSORSTORE_CURL_LOW_SPEED_TIME_SECONDS", f"{now.timeout:.0f}")
    os.environ.setdefault("TENSORSTORE_CURL_LOW_SPEED_LIMIT_BYTES", "1")
    return spec | ({"endpoint": now.endpoint} if now.endpoint else {})


def tries(seconds: float) -> int:
    """Return after how many pauses that double from the first to the last this time is over.

    >>> tries(1.4), tries(120)
    (3, 28)
    """
    count, pause = 0, FIRST_PAUSE
    while seconds > 1e-9:
        seconds -= pause
        pause = min(2 * pause, LAST_PAUSE)
        count += 1
    return count


def is_away(error: BaseException) -> bool:
    """Tell whether an error of either library means that the store did not answer, and nothing about its content."""
    return isinstance(error, AwayError) or bool(AWAY.search(str(error).split("\n", 1)[0]))


def told(location: str, error: BaseException) -> ForgeryPrepError:
    """Return an error of either library in one clear sentence."""
    if is_away(error):
        return AwayError(
            f"{location} does not answer ({_reason(error)}), tried for {settings().retry:g} seconds "
            "(FORGERY_RETRY_SECONDS). All that is written is kept: run the same command again once it does."
        )
    if isinstance(error, UnauthenticatedError | PermissionDeniedError):
        return StoreError(f"{location} refuses these credentials ({_reason(error)}); see docs/storage.md for them.")
    if "NoSuchBucket" in str(error):
        return StoreError(f"The bucket of {location} does not exist; make it first.")
    return StoreError(f"{location} cannot be reached: {_reason(error)}.")


def _reason(error: BaseException) -> str:
    """Return what went wrong, without the request, the tries and the server's page.

    >>> _reason(OSError("Generic S3 error: Error performing GET http://x/b in 8s, after 2 retries  - HTTP error: gone"))
    'HTTP error: gone'
    """
    return first_line(error).split(" - ")[-1].split(": <")[0].removeprefix("Server returned non-2xx status code: ")

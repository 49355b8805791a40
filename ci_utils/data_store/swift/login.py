"""How the engine logs in to Swift: version 1 of its authentication, or Keystone v3."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass

import requests
from swiftclient.client import get_auth_1_0
from swiftclient.exceptions import ClientException

from ci_utils.config import Credentials, OpenStackConfig, SwiftConfig
from ci_utils.errors import CIError, ConfigurationError, Unavailable
from ci_utils.keystone import LOGIN_SECONDS, open_session, translated
from ci_utils.retries import retried

SERVICE = "Swift"
CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Access:
    """Where the account is, and a token for it."""

    storage_url: str
    token: str


class Login(ABC):
    """One user of Swift, whose token all threads share until it is refused.

    `address_setting` and `user_settings` name the settings, for errors;
    `patient` is whether to try again what can succeed a little later.
    """

    address_setting: str
    user_settings: str

    def __init__(self, *, patient: bool) -> None:
        self.patient = patient
        self._access: Access | None = None
        self._failure: CIError | None = None
        self._tries = 0
        self._lock = threading.Lock()

    @property
    def present(self) -> Access | None:
        """What all threads use now; None before the first login and while another is made."""
        return self._access

    def access(self, refused: Access | None = None) -> Access:
        """The present token, or a new one if it was refused; `ConfigurationError` or `Unavailable`.

        Threads that wait for a login that fails fail with it, instead of trying one after the other.
        """
        tries = self._tries
        with self._lock:
            if self._failure and self._tries != tries:
                raise type(self._failure)(self._failure.message) from self._failure
            if self._access is None or self._access == refused:
                return self._log_in()
            return self._access

    def _log_in(self) -> Access:
        self._access = self._failure = None
        try:
            self._access = retried(self._fresh) if self.patient else self._fresh()
            return self._access
        except CIError as error:
            self._failure = error
            raise
        finally:
            self._tries += 1

    @abstractmethod
    def _fresh(self) -> Access:
        """Log in once more."""


class V1Login(Login):
    """Version 1 (ST_AUTH, ST_USER, ST_KEY)."""

    address_setting = "ST_AUTH"
    user_settings = "ST_USER and ST_KEY"

    def __init__(self, config: SwiftConfig, *, patient: bool = True) -> None:
        super().__init__(patient=patient)
        for name, value in (("ST_USER", config.user), ("ST_KEY", config.key)):
            if not value:
                raise ConfigurationError(f"{name} is not set; ST_AUTH needs it")
        self._config = config

    def _fresh(self) -> Access:
        url = self._config.auth_url
        timeout = (CONNECT_SECONDS, LOGIN_SECONDS)
        try:
            storage_url, token = get_auth_1_0(url, self._config.user, self._config.key, timeout=timeout)
        except ClientException as error:
            if error.http_status in (401, 403):
                raise ConfigurationError(
                    f"{self.user_settings}: Swift does not accept the user {self._config.user} with this key"
                ) from None
            if error.http_status and error.http_status < 500:
                raise ConfigurationError(f"ST_AUTH: {url} gives no tokens of version 1") from None
            raise Unavailable(f"Swift of ST_AUTH ({url}) does not work at the moment") from error
        except (requests.RequestException, OSError) as error:
            raise Unavailable(f"Swift of ST_AUTH ({url}) does not answer") from error
        if not storage_url or not token:
            raise ConfigurationError(f"ST_AUTH: {url} gives no tokens of version 1")
        return Access(storage_url.rstrip("/"), token)


class KeystoneLogin(Login):
    """Keystone v3 (the settings that begin with OS_)."""

    address_setting = "OS_AUTH_URL"
    user_settings = "OS_USERNAME and OS_PROJECT_NAME"

    def __init__(self, credentials: Credentials, *, patient: bool = True) -> None:
        super().__init__(patient=patient)
        self._credentials = credentials
        self._session = open_session(credentials)

    def _fresh(self) -> Access:
        region = self._credentials.region_name or None
        with translated(self._credentials, SERVICE):
            self._session.invalidate()
            token = self._session.get_token()
            url = self._session.get_endpoint(
                service_type="object-store", interface="public", region_name=region
            )
        if not url or not token:
            where = f"the region {region}" if region else "any region"
            raise ConfigurationError(f"OS_REGION_NAME: Keystone knows no Swift in {where} of this cloud")
        return Access(url.rstrip("/"), token)


def login_of(config: SwiftConfig, cloud: OpenStackConfig, *, patient: bool = True) -> Login:
    """The login that the settings ask for; `ConfigurationError` names one that is missing."""
    if config.auth_url:
        return V1Login(config, patient=patient)
    if not cloud.auth_url:
        raise ConfigurationError("ST_AUTH or OS_AUTH_URL is not set; UCI_DATA_STORE=swift needs one of them")
    return KeystoneLogin(cloud.credentials, patient=patient)

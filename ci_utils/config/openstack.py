"""The settings of an OpenStack cloud."""

from __future__ import annotations

from dataclasses import dataclass, field

from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import optional_url, text


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who the engine is to a cloud; `prefix` begins the names of the settings that say so."""

    prefix: str
    auth_url: str
    username: str
    password: str = field(repr=False)
    project_name: str
    user_domain_name: str
    project_domain_name: str
    #: Empty where the cloud has one region.
    region_name: str


@dataclass(frozen=True, kw_only=True)
class OpenStackConfig(Settings):
    """An OpenStack cloud (Keystone v3): where machines are booted, and images and files kept."""

    auth_url: str = setting(
        "OS_AUTH_URL", optional_url, "", "Address of the cloud's Keystone, with /v3 at its end."
    )
    username: str = setting("OS_USERNAME", text, "", "The engine's user in the cloud.")
    password: str = setting("OS_PASSWORD", text, "", "Password of OS_USERNAME.", secret=True)
    project_name: str = setting(
        "OS_PROJECT_NAME", text, "", "The engine's project in the cloud; empty: OS_TENANT_NAME."
    )
    tenant_name: str = setting("OS_TENANT_NAME", text, "", "Older name of OS_PROJECT_NAME.")
    user_domain_name: str = setting("OS_USER_DOMAIN_NAME", text, "Default", "Domain of OS_USERNAME.")
    project_domain_name: str = setting(
        "OS_PROJECT_DOMAIN_NAME", text, "Default", "Domain of OS_PROJECT_NAME."
    )
    region_name: str = setting(
        "OS_REGION_NAME", text, "", "Region of the cloud; may be empty where there is one."
    )

    @property
    def credentials(self) -> Credentials:
        """All of it, as the adapters take it."""
        return Credentials(
            prefix="OS_",
            auth_url=self.auth_url,
            username=self.username,
            password=self.password,
            project_name=self.project_name or self.tenant_name,
            user_domain_name=self.user_domain_name,
            project_domain_name=self.project_domain_name,
            region_name=self.region_name,
        )

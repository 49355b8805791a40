"""The settings of images in Glance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ci_utils.config.openstack import Credentials, OpenStackConfig
from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import optional_url, size, text


@dataclass(frozen=True, kw_only=True)
class GlanceConfig(Settings):
    """Images in Glance (UCI_IMAGE_STORE=glance); what is empty is as in the settings that begin with OS_."""

    auth_url: str = setting(
        "GLANCE_OS_AUTH_URL", optional_url, "", "Address of the Keystone of Glance's cloud."
    )
    username: str = setting("GLANCE_OS_USERNAME", text, "", "The engine's user there.")
    password: str = setting("GLANCE_OS_PASSWORD", text, "", "Password of GLANCE_OS_USERNAME.", secret=True)
    project_name: str = setting(
        "GLANCE_OS_PROJECT_NAME", text, "", "The engine's project there; empty: GLANCE_OS_TENANT_NAME."
    )
    tenant_name: str = setting("GLANCE_OS_TENANT_NAME", text, "", "Older name of GLANCE_OS_PROJECT_NAME.")
    user_domain_name: str = setting("GLANCE_OS_USER_DOMAIN_NAME", text, "", "Domain of GLANCE_OS_USERNAME.")
    project_domain_name: str = setting(
        "GLANCE_OS_PROJECT_DOMAIN_NAME", text, "", "Domain of GLANCE_OS_PROJECT_NAME."
    )
    region_name: str = setting("GLANCE_OS_REGION_NAME", text, "", "Region of Glance's cloud.")
    cache_bytes: int = setting(
        "UCI_GLANCE_CACHE",
        size,
        "20G",
        "Disk that copies of images from Glance may take in the data directory, for example 20G.",
    )

    def credentials(self, cloud: OpenStackConfig) -> Credentials:
        """All of it, with what is not set taken from the cloud's settings."""
        default = cloud.credentials
        merged = Credentials(
            prefix="GLANCE_OS_",
            auth_url=self.auth_url or default.auth_url,
            username=self.username or default.username,
            password=self.password or default.password,
            project_name=self.project_name or self.tenant_name or default.project_name,
            user_domain_name=self.user_domain_name or default.user_domain_name,
            project_domain_name=self.project_domain_name or default.project_domain_name,
            region_name=self.region_name or default.region_name,
        )
        # Errors shall name the settings that were set.
        return default if replace(merged, prefix=default.prefix) == default else merged

"""Settings, read strictly from the environment.

Every setting is a field of a group (`Config` of the engine, `ClientConfig` of
`ubuntu-ci`, one for each adapter that needs some) with its name, default and
a sentence of help; the reference in `docs/` is made from them. A wrong value,
or a `UCI_` variable that is no setting, is an error that names it. A secret
may also come from a file named by NAME_FILE.
"""

from ci_utils.config.client import ClientConfig
from ci_utils.config.engine import SERVICES, Config
from ci_utils.config.glance import GlanceConfig
from ci_utils.config.launchpad import LaunchpadConfig
from ci_utils.config.notifications import SMTPConfig, WebhookConfig
from ci_utils.config.nova import NovaConfig
from ci_utils.config.openid import OpenIDConfig
from ci_utils.config.openstack import Credentials, OpenStackConfig
from ci_utils.config.settings import SettingDescription, Settings, describe_settings
from ci_utils.config.swift import SwiftConfig
from ci_utils.config.upload_queue import UploadQueueConfig
from ci_utils.config.values import listen_address

__all__ = [
    "SERVICES",
    "ClientConfig",
    "Config",
    "Credentials",
    "GlanceConfig",
    "LaunchpadConfig",
    "NovaConfig",
    "OpenIDConfig",
    "OpenStackConfig",
    "SMTPConfig",
    "SettingDescription",
    "Settings",
    "SwiftConfig",
    "UploadQueueConfig",
    "WebhookConfig",
    "describe_settings",
    "listen_address",
]

"""The one settings module of Django: any subset of the services, from the environment."""

from __future__ import annotations

from typing import Any

import dj_database_url

from ci_utils.config import Config, SMTPConfig, UploadQueueConfig, WebhookConfig
from ci_utils.errors import ConfigurationError
from ci_utils.hosting import page_settings
from ci_utils.hosting.secrets import with_local_secrets

UCI = with_local_secrets(Config.from_environment())
UPLOAD_QUEUE = UploadQueueConfig.from_environment()
SMTP = SMTPConfig.from_environment()
WEBHOOKS = WebhookConfig.from_environment()

SECRET_KEY = UCI.secret_key
DEBUG = False
# The engine answers under whatever name reaches it; nothing is built from the Host header.
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "ci_utils.hosting.urls"
WSGI_APPLICATION = "ci_utils.hosting.wsgi.application"
APPEND_SLASH = False
TASTYPIE_ALLOW_MISSING_SLASH = True
TASTYPIE_DEFAULT_FORMATS = ["json"]
API_LIMIT_PER_PAGE = 50
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 << 20
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "ci_utils.hosting",
    "ci_utils.api",
    "ci_utils.work_queue",
    *UCI.services,
]
MIDDLEWARE = ["ci_utils.hosting.middleware.NoBodyForHead", "ci_utils.hosting.middleware.JsonErrors"]
if "web_ui" in UCI.services:
    INSTALLED_APPS += page_settings.APPS
    MIDDLEWARE += page_settings.MIDDLEWARE
    globals().update(page_settings.page_settings(UCI))

CONNECTION_SECONDS = 60
#: A PostgreSQL whose machine fell silent is noticed within these seconds, while connecting and while waiting.
POSTGRESQL_OPTIONS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


def _database() -> dict[str, Any]:
    if not UCI.database:
        return {
            "ENGINE": "ci_utils.hosting.sqlite",
            "NAME": UCI.data_dir / "engine.sqlite3",
            "CONN_MAX_AGE": CONNECTION_SECONDS,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # What must be on the disk before anything else happens: see ci_utils.durability.
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
            },
        }
    try:
        parsed: dict[str, Any] = dict(
            dj_database_url.parse(UCI.database, conn_max_age=CONNECTION_SECONDS, conn_health_checks=True)
        )
    except (ValueError, KeyError):
        raise ConfigurationError("UCI_DATABASE: its value is not a database URL") from None
    if parsed["ENGINE"] == "django.db.backends.postgresql":
        parsed["OPTIONS"] = POSTGRESQL_OPTIONS | parsed.get("OPTIONS", {})
    return parsed


DATABASES = {"default": _database()}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": UCI.log_level.upper()},
    "loggers": {
        "urllib3": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "amqp": {"level": "WARNING"},
    },
}

"""Django's settings for pages that people log in to; only an engine that hosts `web_ui` has them."""

from __future__ import annotations

from typing import Any

from ci_utils.config import Config, OpenIDConfig

APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
MIDDLEWARE = [
    "web_ui.middleware.Pages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "web_ui.middleware.CsrfOfPages",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
SESSION_SECONDS = 12 * 3600


def page_settings(config: Config) -> dict[str, Any]:
    """Settings by their names. Cookies are for https only where people come by https.

    `ConfigurationError` for settings of the pages that cannot be right together.
    """
    OpenIDConfig.from_environment().require_complete()
    secure = config.url.startswith("https://")
    prefix = "__Host-" if secure else ""
    return {
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                    ]
                },
            }
        ],
        # Needs memory, not only time, and no library of its own.
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.ScryptPasswordHasher"],
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": f"django.contrib.auth.password_validation.{name}"}
            for name in (
                "UserAttributeSimilarityValidator",
                "MinimumLengthValidator",
                "CommonPasswordValidator",
            )
        ],
        "LOGIN_URL": "/login",
        "LOGIN_REDIRECT_URL": "/",
        "SESSION_COOKIE_NAME": f"{prefix}uci-session",
        "SESSION_COOKIE_AGE": SESSION_SECONDS,
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "CSRF_COOKIE_NAME": f"{prefix}uci-csrf",
        "CSRF_COOKIE_SECURE": secure,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Lax",
        "CSRF_TRUSTED_ORIGINS": [config.url],
        "DATA_UPLOAD_MAX_NUMBER_FILES": 1000,
    }

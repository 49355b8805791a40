"""What the pages say of themselves in `GET /api/v1/status`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone


def status() -> dict[str, Any]:
    """Numbers of people who can log in, and of sessions that have not expired."""
    return {
        "users": get_user_model().objects.filter(is_active=True).count(),
        "sessions": Session.objects.filter(expire_date__gt=timezone.now()).count(),
    }

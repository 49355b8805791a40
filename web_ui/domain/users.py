"""Who can log in. A user is a principal of the API by the same name, as the holder of a token is."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ci_utils.errors import Conflict, InvalidRequest, NotFound

MAX_NAME = 100


def add_user(name: str, password: str, *, operator: bool = False) -> None:
    """Let somebody log in; `Conflict` if the name is taken, `InvalidRequest` if name or password are bad."""
    user: Any = get_user_model()(username=name, is_staff=operator)
    try:
        if not name or len(name) > MAX_NAME:
            raise InvalidRequest(f"the name must have 1 to {MAX_NAME} characters")
        user.clean_fields(exclude=["password"])
        validate_password(password, user)
        user.set_password(password)
        with transaction.atomic():
            user.save()
    except ValidationError as error:
        raise InvalidRequest(" ".join(error.messages)) from None
    except IntegrityError:
        raise Conflict(f"there is a user {name!r} already; remove it first, or set its password") from None


def set_password(name: str, password: str) -> None:
    """Give a user another password; its sessions end."""
    user = _user(name)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidRequest(" ".join(error.messages)) from None
    user.set_password(password)
    user.save(update_fields=["password"])


def remove_user(name: str) -> None:
    """Let somebody log in no longer; sessions end at once, tickets stay."""
    _user(name).delete()


def users() -> list[tuple[str, bool, bool]]:
    """(name, is an operator, logs in with OpenID Connect) of all users, by name."""
    every = get_user_model().objects.order_by("username")
    return [(user.get_username(), user.is_staff, not user.has_usable_password()) for user in every]


def user_of_provider(name: str, *, operator: bool) -> Any:
    """The user whom an OpenID Connect provider names; made at the first time.

    `Conflict` if somebody with a password of this engine has the name: a
    provider must not let others into that account.
    """
    if not 0 < len(name) <= MAX_NAME:
        raise InvalidRequest(f"the provider names somebody by more than {MAX_NAME} characters")
    with transaction.atomic():
        user, created = get_user_model().objects.get_or_create(username=name)
        if created:
            user.set_unusable_password()
        elif user.has_usable_password():
            raise Conflict(f"{name} logs in with a password here; an operator can remove that user")
        user.is_staff = operator
        user.save()
    return user


def _user(name: str) -> Any:
    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise NotFound(f"there is no user {name!r}; see: uci-engine user list")
    return user

"""The images of one project, as Glance's API has them: the only importer of python-glanceclient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glanceclient import Client, exc

from ci_utils import keystone
from ci_utils.config import Credentials
from ci_utils.errors import ConfigurationError, Conflict, InvalidRequest, NotFound, Unavailable

#: What can pass by itself.
FAILURES = (
    exc.HTTPInternalServerError,
    exc.HTTPNotImplemented,
    exc.HTTPBadGateway,
    exc.HTTPServiceUnavailable,
)


class GlanceProject:
    """Glance's records of images, which are dictionaries with attributes. Errors are the engine's own.

    `what` in a call is the image or images in question, for its errors.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._session = keystone.open_session(credentials)
        self._glance = Client("2", session=self._session, region_name=credentials.region_name or None)

    def check(self) -> None:
        """Ask for one image."""
        with self.translated("images"):
            next(iter(self._glance.images.list(limit=1)), None)

    def list(self, **filters: str) -> list[Any]:
        """The project's own images that fit."""
        with self.translated("images"):
            owned = {"owner": self._id(), **filters}
            return [found for found in self._glance.images.list(filters=owned) if self.owns(found)]

    def owns(self, found: Any) -> bool:
        """Whether an image is the project's: others' public ones can be seen too."""
        return bool(found.owner == self._id())

    def get(self, image_id: str) -> Any:
        with self.translated(f"image {image_id}"):
            return self._glance.images.get(image_id)

    def create(self, name: str, properties: Mapping[str, str]) -> Any:
        """A private image that has no data yet."""
        with self.translated(f"image {name}"):
            return self._glance.images.create(
                name=name, disk_format="qcow2", container_format="bare", visibility="private", **properties
            )

    def send(self, image: Any, path: Path) -> Any:
        """Send an image's data; the record afterwards."""
        with self.translated(f"image {image.name}"), path.open("rb") as file:
            self._glance.images.upload(image.id, file)
            return self._glance.images.get(image.id)

    def change(self, image: Any, **changes: str) -> Any:
        """Change properties; the record afterwards."""
        with self.translated(f"image {image.name}"):
            self._glance.images.update(image.id, **changes)
            return self._glance.images.get(image.id)

    def delete(self, image_id: str, name: str) -> None:
        with self.translated(f"image {name}"):
            self._glance.images.delete(image_id)

    def open_at(self, image_id: str, name: str, start: int) -> Any:
        """Glance's stream of the image's bytes from `start` on, unread."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self.translated(f"image {name}"):
            # Not by glanceclient, which would quote the header's "=".
            endpoint = self._glance.http_client.get_endpoint()
            address = f"{endpoint}/v2/images/{image_id}/file"
            response = self._session.get(address, headers=headers, stream=True, raise_exc=False)
            if not response.ok:
                raise exc.from_response(response, response.content)
        if start and response.status_code != 206:
            response.close()
            raise Unavailable("Glance does not send parts of images")
        return response.raw

    def _id(self) -> str:
        with self.translated("images"):
            return str(self._session.get_project_id())

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Raise glanceclient's errors as the engine's own; `what` is the image or images in question."""
        prefix = self._credentials.prefix
        try:
            with keystone.translated(self._credentials, "Glance"):
                yield
        except exc.HTTPNotFound:
            raise NotFound(f"there is no {what}") from None
        except (exc.HTTPForbidden, exc.HTTPUnauthorized) as error:
            raise ConfigurationError(
                f"{prefix}USERNAME: Glance does not let this user do that with {what}"
            ) from error
        except exc.HTTPConflict as error:
            raise Conflict(f"{what} is in use in Glance") from error
        except exc.HTTPOverLimit as error:
            raise Conflict(
                f"Glance's quota has no room for {what}; delete images or have it raised"
            ) from error
        except exc.HTTPException as error:
            said = str(error).partition("\n")[0][:200]
            if isinstance(error, FAILURES):
                raise Unavailable(f"Glance failed over {what}: {said}") from error
            raise InvalidRequest(f"Glance refuses {what}: {said}") from error
        except (exc.CommunicationError, exc.InvalidEndpoint) as error:
            raise Unavailable(f"Glance of {prefix}AUTH_URL does not answer") from error

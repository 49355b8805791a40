"""Does what `ubuntu-ci create_ticket` does, step by step so that a test can go wrong anywhere."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from ci_utils.data_store.local import LocalDataStores
from tests.ci_utils.source_package.uploads import SigningKey, Upload

TICKET = {"owner": "alice@example.com", "title": "Greet the world", "description": "", "bug_id": "12345"}


class Submission:
    """A client that submits uploads, signed by a key, into the data store."""

    def __init__(self, client: Any, key: SigningKey, stores: LocalDataStores) -> None:
        self.client = client
        self.key = key
        self.stores = stores

    def bundle(self, *uploads: Upload, dsc: bool = False, **fields: Any):
        """POST the bundle of these uploads (of hello, if none is given); the response."""
        return self.client.post("bundle/", self.draft(*uploads, dsc=dsc, **fields))

    def draft(self, *uploads: Upload, dsc: bool = False, **fields: Any) -> dict[str, Any]:
        """What is POSTed then."""
        sources = [self.source(upload, dsc) for upload in uploads or (Upload(),)]
        return {**TICKET, "sources": sources, **fields}

    def send(self, answer: dict[str, Any], uploads: Sequence[Upload] = (), **changed: bytes) -> None:
        """Upload all files of a bundle; `changed` has other contents for some, by name."""
        for upload, source in zip(uploads or (Upload(),), answer["sources"], strict=True):
            contents = self.files(upload) | changed
            for name, url in source["uploads"].items():
                self.put(url, contents[name])

    def put(self, url: str, content: bytes) -> None:
        """What the engine does with a PUT to a signed URL."""
        store, name = self.stores.locate(url)
        query = dict(part.split("=") for part in url.partition("?")[2].split("&"))
        self.stores.check_url("PUT", store.name, name, query)
        store.receive(name, io.BytesIO(content), length=len(content), limit=1 << 20)

    def files(self, upload: Upload) -> dict[str, bytes]:
        """All files of an upload, its signed .changes too."""
        return {**upload.contents(), upload.changes_name: self.key.clearsign(upload.changes())}

    def uploaded(self, *uploads: Upload, **fields: Any) -> int:
        """A new ticket with all its files in the data store; its number."""
        response = self.bundle(*uploads, **fields)
        assert response.status_code == 201, response.json()
        self.send(response.json(), uploads)
        return int(response.json()["id"])

    def queue(self, ticket_id: int):
        """PATCH the ticket to the queue; the response."""
        return self.client.patch(
            f"updateticketstatus/{ticket_id}/", {"current_workflow_step": "100", "status": "000"}
        )

    def queued(self, *uploads: Upload, **fields: Any) -> int:
        """A ticket that waits for the lander; its number."""
        ticket_id = self.uploaded(*uploads, **fields)
        response = self.queue(ticket_id)
        assert response.status_code == 200, response.json()
        return ticket_id

    def source(self, upload: Upload, dsc: bool) -> dict[str, str]:
        source = {
            "changes_name": upload.changes_name,
            "changes": self.key.clearsign(upload.changes()).decode(),
        }
        return source | ({"dsc": upload.contents()[upload.dsc_name].decode()} if dsc else {})

"""Which base image a submitter may name."""

from __future__ import annotations

import re

from ci_utils.api.tokens import Principal
from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.errors import InvalidRequest, NotFound
from ticket_system.models import Ticket

_CONTAINER_OF_TICKET = re.compile(r"ticket\.([1-9][0-9]{0,8})\..+")


def check_base_image(base_image: str, *, by: Principal, stores: DataStores) -> None:
    """Raise `InvalidRequest` unless it is a name, or the URL of a file in the data store that `by` may read.

    A file of a ticket that `by` may not see is answered as one that is not
    there. Which names there are is known to the image builder alone.
    """
    if "/" not in base_image:
        return
    try:
        store, filename = stores.locate(base_image)
        if _may_read(store, filename, by=by):
            store.file_size(filename)
            return
    except NotFound:
        pass
    except InvalidRequest as error:
        raise InvalidRequest(f"base_image: {error.message}") from None
    raise InvalidRequest("base_image: there is no file that you may read at this URL")


def _may_read(store: DataStore, filename: str, *, by: Principal) -> bool:
    if by.sees_all:
        return True
    container = store.file_path(filename).split("/")[-2]
    ticket = _CONTAINER_OF_TICKET.fullmatch(container)
    return ticket is not None and Ticket.objects.visible_to(by).filter(pk=int(ticket[1])).exists()

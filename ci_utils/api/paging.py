"""Paging of lists: `limit` and `offset`, within what a database counts."""

from __future__ import annotations

from tastypie.exceptions import BadRequest
from tastypie.paginator import Paginator

MAX_OFFSET = 2**31 - 1


class BoundedPaginator(Paginator):
    """tastypie's paginator, for offsets that every database takes."""

    def get_offset(self) -> int:
        offset: int = super().get_offset()
        if offset > MAX_OFFSET:
            raise BadRequest(f"offset: {offset} is more than {MAX_OFFSET}")
        return offset

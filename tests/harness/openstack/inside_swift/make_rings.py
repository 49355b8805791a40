"""Writes the rings of a Swift with one device.

Runs inside Swift's environment: `make_rings.py DIRECTORY account=PORT container=PORT object=PORT`.
"""

from __future__ import annotations

import sys

from swift.common.ring import RingBuilder  # type: ignore[import-not-found]

PART_POWER, REPLICAS, MIN_PART_HOURS = 4, 1, 0
DEVICE = {"id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "disk", "meta": ""}

directory, *servers = sys.argv[1:]
for server in servers:
    kind, _, port = server.partition("=")
    builder = RingBuilder(PART_POWER, REPLICAS, MIN_PART_HOURS)
    address = {"ip": "127.0.0.1", "port": int(port)}
    builder.add_dev({**DEVICE, **address, **{f"replication_{name}": at for name, at in address.items()}})
    builder.rebalance()
    builder.get_ring().save(f"{directory}/{kind}.ring.gz")

"""Durable work requests, the queues that wake workers, and progress queues.

The row is the truth, the message only wakes: see `requests` (rows), `broker`
(the only importer of kombu), `worker` (the loop) and `progress`.
Specification: chapter "Queue Service".
"""

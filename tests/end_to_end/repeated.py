"""The same request for a stage's work many times, by whoever wants it done."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.end_to_end.engine import Engine

AT_ONCE = 8
Answer = tuple[int, dict[str, Any]]


class Repeated:
    """Sends the request for a stage's work again, many times at once, while it is done and afterwards."""

    def __init__(self, engine: Engine, stage: str, operation: str) -> None:
        self._engine = engine
        self._stage = stage
        self._operation = operation
        self._before = self._jobs()
        self._meanwhile: list[Answer] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Repeated:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def answers(self) -> tuple[list[Answer], list[Answer]]:
        """Those that came while the work was done, and those to as many that are sent now."""
        (job,) = set(self._jobs()) - set(self._before)
        return self._meanwhile, self._send(self._jobs()[job])

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            new = [request for job, request in self._jobs().items() if job not in self._before]
            if new and new[0]:
                self._meanwhile = self._send(new[0])
                return

    def _jobs(self) -> dict[int, dict[str, Any]]:
        """What each job has asked for the stage; empty before it begins."""
        jobs = self._engine.client.get("job/")["objects"]
        return {
            job["id"]: next((s["parameters"] for s in job["stages"] if s["stage"] == self._stage), {})
            for job in jobs
        }

    def _send(self, request: dict[str, Any]) -> list[Answer]:
        token = (self._engine.data_dir / "service-token").read_text().strip()
        url, headers = f"{self._engine.url}/api/v1/{self._operation}/", {"Authorization": f"Bearer {token}"}

        def send(_: int) -> Answer:
            answer = requests.post(url, json=request, headers=headers, timeout=300)
            return answer.status_code, answer.json()

        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(send, range(AT_ONCE)))

"""What the stages do: ask a service and follow it, reserve, publish, release.

Every act can be done again after a crash and then goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ci_utils.clients.base import refused_for_good
from ci_utils.clients.work import WorkClient
from ci_utils.durability import settle
from ci_utils.errors import Conflict, StageFailed, Unresponsive
from ci_utils.work_queue.progress import follow
from lander.domain.run import StageRun
from lander.domain.services import Services

Act = Callable[[Mapping[str, Any], StageRun], Mapping[str, Any]]

#: Many times what an archive may take to publish (Launchpad's half an hour) before it asks to be asked
#: anew: by then the packages may be on their way, and whoever comes next cannot be published either.
PUBLISH_PATIENCE_SECONDS = 6 * 3600


def ask(client_of: Callable[[Services], WorkClient]) -> Act:
    """The act of a stage that one of the services does: the service's result, or `StageFailed`."""

    def act(request: Mapping[str, Any], run: StageRun) -> Mapping[str, Any]:
        messages = follow(
            run.services.broker,
            request["progress_trigger"],
            start=partial(client_of(run.services).start, request),
            interval=run.services.progress_interval,
            cancelled=run.cancelled,
        )
        for message in messages:
            if message.get("exit"):
                return _result(message, request)
            if message.get("message"):
                run.tell(message["message"], current=message.get("current"), total=message.get("total"))
        raise Unresponsive(f"{request['progress_trigger']} ended without a result")

    return act


def reserve(request: Mapping[str, Any], run: StageRun) -> Mapping[str, Any]:
    """Get an archive for the ticket, waiting until one is free, and say where its packages go in the end."""
    destination = run.retry(run.services.archives.destination, waiting="waiting for the destination archive")
    call = partial(run.services.ppa_assigner.get_ppa, request["ticket_id"])
    reserved = run.retry(call, waiting="waiting for a free archive", gives_up=refused_for_good)
    run.console.write(f"{reserved['name']} is reserved")
    return {"ppa_id": reserved["id"], "ppa": reserved["name"], "archive": destination}


def publish(request: Mapping[str, Any], run: StageRun) -> Mapping[str, Any]:
    """Copy the built sources to the destination, all or none."""
    sources = [(source["source"], source["version"]) for source in request["sources"]]
    settle()  # nothing that led here may be forgotten, and done again with another end
    run.tell(f"publishing {', '.join(f'{name} {version}' for name, version in sources)}")
    run.retry(
        lambda: run.services.archives.copy(sources, origin=request["ppa"], target=request["archive"]),
        waiting="waiting for the archive to take the packages",
        seconds=PUBLISH_PATIENCE_SECONDS,
    )
    return {"published": request["sources"], "archive": request["archive"]}


def release(request: Mapping[str, Any], run: StageRun) -> Mapping[str, Any]:
    """Give back whatever archive the ticket holds, even one whose reservation was never recorded."""
    assigner, ticket_id = run.services.ppa_assigner, request["ticket_id"]
    waiting = "waiting for the PPA assigner to take the archive back"
    take_back = partial(run.retry, waiting=waiting, gives_up=refused_for_good)
    held = take_back(lambda: assigner.list(ticket_id=ticket_id, state="reserved"))
    for ppa in held:
        try:
            take_back(partial(assigner.release, ppa["id"], ticket_id))
        except Conflict as error:  # it was given back meanwhile
            run.console.write(error.message)
        run.console.write(f"{ppa['name']} is given back")
    return {"released": [ppa["name"] for ppa in held]}


def _result(message: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """A service's last message without what it repeats of the request."""
    result = {key: value for key, value in message.items() if key not in request}
    state = result.pop("state", "")
    del result["exit"]
    if state != "COMPLETED":
        raise StageFailed(str(result.pop("message", "") or "the service gives no reason"), result=result)
    return result

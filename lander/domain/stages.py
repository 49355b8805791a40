"""The way of a ticket: the stages in their order, and nothing else.

A stage makes its request from the parameters so far; what it `carries` of its
result joins the parameters of the stages after it, so no service asks back.
Specification: chapter "Lander", "Design".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lander.domain.acts import Act, ask, publish, release, reserve

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """`step` is the ticket's workflow step while the stage runs, `status` its state in it.

    A stage without a step leaves the ticket where it is. One that is `always`
    done is done after a failure and a cancellation too.
    """

    name: str
    request: Callable[[Parameters], dict[str, Any]]
    act: Act
    step: str = ""
    status: str = "100"
    carries: Sequence[str] = ()
    opening: str = ""
    always: bool = False


def _reserve(parameters: Parameters) -> dict[str, Any]:
    return {"ticket_id": parameters["ticket_id"]}


def _build_source(parameters: Parameters) -> dict[str, Any]:
    return _work(parameters, "build") | {
        "source_packages": parameters["source_packages"],
        "checksums": parameters.get("checksums", {}),
        "series": parameters["series"],
        "ppa": parameters["ppa"],
        "archive": parameters["archive"],
    }


def _build_image(parameters: Parameters) -> dict[str, Any]:
    base = parameters.get("base_image")
    return _work(parameters, "image") | {
        "base_image": {
            "image_type": "cloud",
            "url_list": [base] if base else [],
            "series": parameters["series"],
        },
        "ppa_list": [parameters["ppa"], parameters["archive"]],
        "package_list": parameters.get("binary_packages", []),
        "remove_package_list": parameters.get("remove_packages", []),
    }


def _test_image(parameters: Parameters) -> dict[str, Any]:
    return _work(parameters, "test") | {
        "image_id": parameters["image_id"],
        "package_list": sorted({build["source"] for build in parameters["builds"]}),
        "ppa_list": [parameters["ppa"], parameters["archive"]],
        "series": parameters["series"],
    }


def _publish(parameters: Parameters) -> dict[str, Any]:
    sources = sorted({(build["source"], build["version"]) for build in parameters["builds"]})
    return {
        "sources": [{"source": source, "version": version} for source, version in sources],
        "ppa": parameters["ppa"],
        "archive": parameters["archive"],
    }


def _work(parameters: Parameters, stage: str) -> dict[str, Any]:
    """What every request to a service has. The trigger is the same after a restart: it is done once."""
    return {
        "ticket_id": parameters["ticket_id"],
        "cancel_url": parameters["cancel_url"],
        "private": bool(parameters.get("private")),
        "progress_trigger": f"lander-{parameters['job_id']}-{stage}",
    }


STAGES = (
    Stage("reserve", _reserve, reserve, step="100", status="000", carries=("ppa", "archive")),
    Stage(
        "build",
        _build_source,
        ask(lambda services: services.branch_source_builder),
        step="200",
        carries=("builds",),
        opening="building the packages",
    ),
    Stage(
        "image",
        _build_image,
        ask(lambda services: services.image_builder),
        step="300",
        carries=("image_id", "image_name"),
        opening="building the image",
    ),
    Stage(
        "test",
        _test_image,
        ask(lambda services: services.test_runner),
        step="400",
        opening="testing the image",
    ),
    Stage("publish", _publish, publish, step="500"),
    Stage("release", _reserve, release, always=True),
)

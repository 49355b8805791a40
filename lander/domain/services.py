"""What the lander lands with: the services it asks and the ports it uses itself."""

from __future__ import annotations

from dataclasses import dataclass

from ci_utils.archive.port import Archives
from ci_utils.clients.ppa_assigner import PPAAssignerClient
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.clients.work import BranchSourceBuilderClient, ImageBuilderClient, TestRunnerClient
from ci_utils.data_store.port import DataStores
from ci_utils.work_queue.broker import Broker


@dataclass(frozen=True)
class Services:
    """`url` is the lander's own address, `progress_interval` the seconds between two progress messages."""

    ticket_system: TicketSystemClient
    ppa_assigner: PPAAssignerClient
    branch_source_builder: BranchSourceBuilderClient
    image_builder: ImageBuilderClient
    test_runner: TestRunnerClient
    archives: Archives
    data_stores: DataStores
    broker: Broker
    url: str
    progress_interval: float

"""The settings of machines in Nova."""

from __future__ import annotations

from dataclasses import dataclass

from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import text, whole_number


@dataclass(frozen=True, kw_only=True)
class NovaConfig(Settings):
    """Machines in Nova (UCI_COMPUTE=nova), in the cloud of the settings that begin with OS_."""

    network_id: str = setting(
        "EPHEMERAL_CLOUD_NET_ID",
        text,
        "",
        "Id of the network that machines get, reached by the engine; empty: Nova chooses one.",
    )
    flavor: str = setting("UCI_NOVA_FLAVOR", text, "m1.small", "Name of the flavor of machines.")
    room_wait: int = setting(
        "UCI_NOVA_WAIT",
        whole_number,
        "600",
        "Seconds to wait for a machine while the quota is used up or no host has room.",
    )

"""The settings of a Nova whose machines run on this host."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tests.harness.openstack.ini import ini
from tests.harness.openstack.keystone import Keystone
from tests.harness.openstack.services import new_database

HOST = "tests"


def placement_settings(keystone: Keystone) -> str:
    """placement.conf."""
    return ini(
        {
            "DEFAULT": {"use_stderr": True},
            "placement_database": {"connection": new_database(keystone.postgresql, "placement")},
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": keystone.middleware_settings("placement"),
        }
    )


def nova_settings(
    home: Path, environment: Path, keystone: Keystone, *, rabbitmq: str, libvirt: str, network: str
) -> str:
    """nova.conf of all of Nova's processes; the servers it needs are given by their addresses."""
    privileged = {
        "helper_command": f"{environment}/bin/privsep-helper --config-file {home}/nova.conf",
    }
    return ini(
        {
            "DEFAULT": {
                "use_stderr": True,
                "host": HOST,
                "my_ip": "127.0.0.1",
                "state_path": home,
                "instances_path": home / "instances",
                "transport_url": urlsplit(rabbitmq)._replace(scheme="rabbit", path="/").geturl(),
                "compute_driver": "libvirt.LibvirtDriver",
                "reserved_host_memory_mb": 0,
                "shutdown_timeout": 2,
                # Nobody tells Nova that a network card is connected.
                "vif_plugging_is_fatal": False,
                "vif_plugging_timeout": 0,
                "force_raw_images": False,
            },
            "api": {"auth_strategy": "keystone"},
            "api_database": {"connection": new_database(keystone.postgresql, "nova_api")},
            "database": {"connection": new_database(keystone.postgresql, "nova")},
            "conductor": {"workers": 1},
            "scheduler": {"workers": 1},
            "filter_scheduler": {"enabled_filters": "ComputeFilter,ImagePropertiesFilter"},
            "oslo_concurrency": {"lock_path": home / "lock"},
            "vnc": {"enabled": False},
            "libvirt": {
                "virt_type": "qemu",
                "connection_uri": libvirt,
                "cpu_mode": "custom",
                # What QEMU emulates fastest of those that Debian runs on.
                "cpu_models": "Nehalem",
                "images_type": "qcow2",
            },
            "nova_sys_admin": privileged,
            "vif_plug_noop_privileged": privileged,
            "cinder": {"catalog_info": "volumev3::publicURL"},
            "neutron": {"endpoint_override": network, **keystone.client_settings("neutron")},
            "glance": keystone.client_settings("glance"),
            "placement": keystone.client_settings("placement"),
            "service_user": {"send_service_user_token": True, **keystone.client_settings("nova")},
            "keystone_authtoken": keystone.middleware_settings("nova"),
        }
    )

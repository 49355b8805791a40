"""The composition root: settings, addresses, adapters and the `uci-engine` command.

The only place that knows which adapter stands behind which port and which
services this process hosts.
"""

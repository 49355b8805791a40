"""A server that behaves like Launchpad, for the calls that the engine makes.

It serves the description of the web service that launchpadlib ships, checks
OAuth signatures, takes uploads by FTP, builds, publishes and deletes in its own
time. What it knows of Launchpad's ways is in `model` and `acceptance`.
"""

from ppa_assigner.api import PPAResource

RESOURCES = [PPAResource()]

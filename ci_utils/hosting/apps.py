from django.apps import AppConfig


class HostingConfig(AppConfig):
    name = "ci_utils.hosting"
    label = "hosting"

from django.apps import AppConfig


class PPAAssignerConfig(AppConfig):
    name = "ppa_assigner"
    default_auto_field = "django.db.models.BigAutoField"

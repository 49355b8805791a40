from django.apps import AppConfig


class LanderConfig(AppConfig):
    name = "lander"
    default_auto_field = "django.db.models.BigAutoField"

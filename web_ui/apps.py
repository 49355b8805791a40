from django.apps import AppConfig


class WebUIConfig(AppConfig):
    name = "web_ui"
    default_auto_field = "django.db.models.BigAutoField"

from django.apps import AppConfig


class ImageBuilderConfig(AppConfig):
    name = "image_builder"
    default_auto_field = "django.db.models.BigAutoField"

from django.apps import AppConfig


class BranchSourceBuilderConfig(AppConfig):
    name = "branch_source_builder"
    default_auto_field = "django.db.models.BigAutoField"

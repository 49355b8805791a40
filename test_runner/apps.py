from django.apps import AppConfig


class TestRunnerConfig(AppConfig):
    name = "test_runner"
    default_auto_field = "django.db.models.BigAutoField"

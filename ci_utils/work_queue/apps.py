from django.apps import AppConfig


class WorkQueueConfig(AppConfig):
    name = "ci_utils.work_queue"
    label = "work_queue"
    default_auto_field = "django.db.models.BigAutoField"

from django.apps import AppConfig


class TicketSystemConfig(AppConfig):
    name = "ticket_system"
    default_auto_field = "django.db.models.BigAutoField"

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticket_system", "0007_artifact_size")]

    operations = [
        migrations.AddIndex(
            "ticket",
            models.Index(fields=["private", "current_workflow_step", "status"], name="ticket_counts"),
        ),
    ]

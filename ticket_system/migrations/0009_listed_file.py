import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """What waits from before has no rows: it becomes a ticket when complete uploads are worked off."""

    dependencies = [("ticket_system", "0008_ticket_counts")]

    operations = [
        migrations.CreateModel(
            name="ListedFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("sha256", models.CharField(max_length=64)),
                (
                    "changes",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="listed",
                        to="ticket_system.incomingfile",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "indexes": [models.Index(fields=["name", "sha256"], name="listed_file_name")],
            },
        ),
    ]

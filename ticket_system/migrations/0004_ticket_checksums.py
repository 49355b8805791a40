from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ticket_system", "0003_idempotency_key"),
    ]

    operations = [
        migrations.AddField(
            model_name="ticket",
            name="checksums",
            field=models.JSONField(default=dict),
        ),
    ]

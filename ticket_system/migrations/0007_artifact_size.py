from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticket_system", "0006_delivery")]

    operations = [
        migrations.AddField("subticketartifact", "size", models.BigIntegerField(null=True)),
        migrations.AddField("ticketartifact", "size", models.BigIntegerField(null=True)),
    ]

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ticket_system', '0002_retry_of'),
    ]

    operations = [
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('submitter', models.CharField(max_length=100)),
                ('key', models.CharField(max_length=255)),
                ('sha256', models.CharField(max_length=64)),
                ('ticket', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='idempotency_key', to='ticket_system.ticket')),
            ],
            options={
                'ordering': ['ticket_id'],
                'constraints': [models.UniqueConstraint(fields=('submitter', 'key'), name='idempotency_key_of_submitter')],
            },
        ),
    ]

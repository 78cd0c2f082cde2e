"""The table of messages."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """From nothing."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Message",
            fields=(
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message_id", models.CharField(max_length=200, unique=True)),
                ("severity", models.CharField(max_length=16)),
                ("subject", models.CharField(max_length=500)),
                ("text", models.TextField()),
                ("alerts", models.JSONField(default=list)),
                ("received_at", models.DateTimeField(auto_now_add=True)),
            ),
            options={"ordering": ("-id",)},
        ),
    )

"""What was received: one row for each message, however often it came."""

from django.db import models


class Message(models.Model):
    """An alert, or several as a digest."""

    message_id = models.CharField(max_length=200, unique=True)
    severity = models.CharField(max_length=16)
    subject = models.CharField(max_length=500)
    text = models.TextField()
    alerts = models.JSONField(default=list)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The newest stands first."""

        ordering = ("-id",)

    def __str__(self) -> str:
        return self.subject

"""What the handlers store."""

from django.db import models


class Visit(models.Model):
    """A payload that was handled, and by which endpoint."""

    endpoint = models.CharField(max_length=100)
    session = models.CharField(max_length=100)

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.session}"

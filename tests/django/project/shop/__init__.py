"""A small Django project whose handlers use the ORM."""

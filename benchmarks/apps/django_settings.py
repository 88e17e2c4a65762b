"""The settings of the Django apps; the apps' modules are their own URLconfs."""

from django.conf import settings

from unisights import UnisightsOptions


def configure(urlconf: str) -> None:
    """Configure Django as `startproject` does, but for what needs a database.

    And for what the README says of memory under ASGI.
    """
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="not secret",  # noqa: S106  # it is not
        ROOT_URLCONF=urlconf,
        FILE_UPLOAD_MAX_MEMORY_SIZE=UnisightsOptions().max_payload_size,
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
    )

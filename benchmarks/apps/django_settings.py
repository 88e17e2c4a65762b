"""The settings of the Django apps; the apps' modules are their own URLconfs."""

from django.conf import settings


def configure(urlconf: str) -> None:
    """Configure Django as `startproject` does, but for what needs a database."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="not secret",  # noqa: S106  # it is not
        ROOT_URLCONF=urlconf,
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
    )

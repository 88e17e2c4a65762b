"""The settings of the Django apps; the apps' modules are their own URLconfs."""

from django.conf import settings


def configure(urlconf: str) -> None:
    """Configure Django as a new project has it, with the URLconf."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="not secret",
        ROOT_URLCONF=urlconf,
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        # The framework's own limit must not have a say.
        DATA_UPLOAD_MAX_MEMORY_SIZE=10,
        # Under ASGI, Django keeps as much of a body in memory before it calls a view.
        FILE_UPLOAD_MAX_MEMORY_SIZE=1024 * 1024,
    )

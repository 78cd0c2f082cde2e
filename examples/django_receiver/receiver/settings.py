"""Settings of the site; what differs from place to place comes from the environment."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

HERE = Path(__file__).resolve().parent

# That of the channel. Without it nothing is accepted.
CORRAL_WEBHOOK_SECRET = os.environ.get("CORRAL_WEBHOOK_SECRET", "")

# Nothing here is signed by Django, so that each start may have its own.
SECRET_KEY = get_random_secret_key()
ALLOWED_HOSTS = os.environ.get("RECEIVER_HOSTS", "localhost,127.0.0.1").split(",")
DEBUG = False

INSTALLED_APPS = ["receiver"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "receiver.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("RECEIVER_DATABASE", HERE.parent / "alerts.db"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# A digest of many alerts, and not more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 << 20
USE_TZ = True
TIME_ZONE = "UTC"

"""A Django site that does nothing but verify codes with django-otp, set up for production.

The database is told by libpq's own variables (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE).
"""

import os
import secrets

DEBUG = False
ALLOWED_HOSTS = ["localhost"]
# Nothing is signed with it: there are no sessions and no forms.
SECRET_KEY = secrets.token_hex(32)
ROOT_URLCONF = "views"
# Layers of middleware would be time that the verification does not take.
MIDDLEWARE = []
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_otp",
    "django_otp.plugins.otp_totp",
]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LOGGING_CONFIG = None

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        # Each thread keeps its connection, and does not ask whether it still stands.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,
        "OPTIONS": {},
    }
}
if os.environ.get("PEERS_PREPARED"):
    # The server prepares each statement when it is sent for the second time.
    DATABASES["default"]["OPTIONS"] = {"server_side_binding": True, "prepare_threshold": 1}

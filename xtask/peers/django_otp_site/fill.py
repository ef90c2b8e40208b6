"""Makes the database, users and tokens, and writes the tokens down: `fill.py COUNT FILE`."""

import json
import os
import sys

import django
import psycopg

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

# A token gives a code each second, so that a run needs no more tokens than Warifu has.
STEP_S = 1
# A code may be as old as this; by default it is one step, which would be a second here, and a slow answer no acceptance.
TOLERANCE_STEPS = 2


def main():
    count, file = int(sys.argv[1]), sys.argv[2]
    with psycopg.connect(dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {os.environ['PGDATABASE']}")
    django.setup()

    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection
    from django_otp.plugins.otp_totp.models import TOTPDevice

    call_command("migrate", verbosity=0)
    User = get_user_model()
    users = User.objects.bulk_create(User(username=f"user{n:06}", password="!") for n in range(count))
    devices = TOTPDevice.objects.bulk_create(
        TOTPDevice(user=user, name="token", step=STEP_S, tolerance=TOLERANCE_STEPS) for user in users
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    tokens = [{"user": device.user.username, "seed": device.key} for device in devices]
    with open(file, "w", encoding="ascii") as out:
        json.dump({"step_s": STEP_S, "digits": devices[0].digits, "tokens": tokens}, out)


main()

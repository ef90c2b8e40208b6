"""Makes users and tokens of a privacyIDEA whose tables are there, and writes the tokens down: `fill.py COUNT FILE`.

`fill.py create` makes the database before; `fill.py copy NAME` makes a second one like it, in which users are remembered.
"""

import json
import os
import secrets
import sys

import psycopg2

STEP_S = 30
DIGITS = 6
REALM = "bench"
RESOLVER = "flat"
# Longer than a run: every user who was looked up once is remembered.
REMEMBERED_S = 86_400


def on_server(*statements, database="postgres"):
    server = psycopg2.connect(dbname=database)
    server.autocommit = True
    with server.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    server.close()


def app():
    from privacyidea.app import create_app

    return create_app(config_name="production", config_file=os.environ["PRIVACYIDEA_CONFIGFILE"], silent=True)


def fill(count, file):
    with app().app_context():
        from privacyidea.lib.config import set_privacyidea_config
        from privacyidea.lib.realm import set_default_realm, set_realm
        from privacyidea.lib.resolver import save_resolver
        from privacyidea.lib.token import init_token
        from privacyidea.lib.user import User

        names = [f"user{n:06}" for n in range(count)]
        users = os.path.join(os.environ["PEERS_FOLDER"], "users")
        with open(users, "w", encoding="ascii") as out:
            for number, name in enumerate(names):
                out.write(f"{name}:x:{number + 1000}:100:{name}:/nowhere:/bin/false\n")
        save_resolver({"resolver": RESOLVER, "type": "passwdresolver", "fileName": users})
        set_realm(REALM, [{"name": RESOLVER}])
        set_default_realm(REALM)
        # While they are made, users are remembered, so that the tables have them for whoever remembers users later.
        set_privacyidea_config("UserCacheExpiration", REMEMBERED_S)
        tokens = []
        for name in names:
            seed = secrets.token_hex(20)
            terms = {"type": "totp", "otpkey": seed, "timeStep": STEP_S, "otplen": DIGITS, "hashlib": "sha1"}
            init_token(terms, user=User(name, realm=REALM))
            tokens.append({"user": name, "seed": seed})
        set_privacyidea_config("UserCacheExpiration", 0)
    on_server("VACUUM ANALYZE", database=os.environ["PGDATABASE"])
    with open(file, "w", encoding="ascii") as out:
        json.dump({"step_s": STEP_S, "digits": DIGITS, "tokens": tokens}, out)


def copy(name):
    on_server(f"CREATE DATABASE {name} TEMPLATE {os.environ['PGDATABASE']}")
    os.environ["PGDATABASE"] = name
    with app().app_context():
        from privacyidea.lib.config import set_privacyidea_config

        set_privacyidea_config("UserCacheExpiration", REMEMBERED_S)
    on_server("VACUUM ANALYZE", database=name)


match sys.argv[1:]:
    case ["create"]:
        on_server(f"CREATE DATABASE {os.environ['PGDATABASE']}")
    case ["copy", name]:
        copy(name)
    case [count, file]:
        fill(int(count), file)
    case _:
        sys.exit(__doc__)

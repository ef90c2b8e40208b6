"""An SMTP server that takes mail only over STARTTLS and only after a sign-in, and keeps each mail as an .eml file.

Arguments: folder for the mails, port, certificate, key. Environment: SMTP_USER, SMTP_PASSWORD.
"""

import itertools
import os
import signal
import ssl
import sys
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

folder, port, certificate, key = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
user, password = os.environ["SMTP_USER"].encode(), os.environ["SMTP_PASSWORD"].encode()


class Folder:
    """Writes each mail to a file that appears only when it is complete."""

    def __init__(self):
        self.count = itertools.count(1)

    async def handle_DATA(self, server, session, envelope):
        name = f"{next(self.count):06}"
        unfinished = folder / f"{name}.part"
        unfinished.write_bytes(envelope.original_content)
        unfinished.rename(folder / f"{name}.eml")
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    known = data.login == user and data.password == password
    # "Not handled" makes the server answer with its own refusal.
    return AuthResult(success=known, handled=known)


folder.mkdir(parents=True, exist_ok=True)
tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(certificate, key)
controller = Controller(
    Folder(),
    hostname="127.0.0.1",
    port=port,
    tls_context=tls,
    require_starttls=True,
    auth_required=True,
    authenticator=authenticate,
)
controller.start()
signal.sigwait({signal.SIGTERM, signal.SIGINT})
controller.stop()

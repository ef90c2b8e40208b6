"""A mail server for tests: `smtp_server.py FOLDER [starttls|tls CERTIFICATE KEY] [login NAME PASSWORD] [refuse CODE]`.

Prints its port when it listens. Each mail becomes a file in the folder: the envelope's two addresses on the first line, then
the bytes as they came.
"""

import asyncio
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


def words(arguments, name, count):
    if name not in arguments:
        return None
    at = arguments.index(name) + 1
    return arguments[at : at + count]


class Keeper:
    def __init__(self, folder, code):
        self.folder = folder
        self.code = code

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.code:
            return f"{self.code[0]} {self.code[0][0]}.1.1 <{address}> canary"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        head = f"{envelope.mail_from} {' '.join(envelope.rcpt_tos)}\n".encode()
        number = len(list(self.folder.iterdir()))
        (self.folder / f"{number}.mail").write_bytes(head + envelope.content)
        return "250 OK"


def main():
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    starttls, tls = words(arguments, "starttls", 2), words(arguments, "tls", 2)
    login = words(arguments, "login", 2)
    context = None
    if starttls or tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(starttls or tls))
    options = {"require_starttls": True, "tls_context": context} if starttls else {}
    if login:
        options |= {
            "auth_required": True,
            "auth_require_tls": bool(starttls),
            "authenticator": lambda server, session, envelope, mechanism, data: AuthResult(
                success=[data.login.decode(), data.password.decode()] == login,
                handled=False,  # the server itself answers a refusal
            ),
        }
    keeper = Keeper(folder, words(arguments, "refuse", 1))

    async def run():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(keeper, loop=loop, **options), "127.0.0.1", 0, ssl=context if tls else None
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


main()

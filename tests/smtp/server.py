"""A real SMTP server (aiosmtpd), which tells on standard output what it was handed.

Its mode is `none`, `starttls` or `tls`; with TLS it wants the password of `gateway`. It refuses addresses that begin with
`nobody@` for good, and those that begin with `later@` the first time.
"""
import asyncio
import json
import logging
import ssl
import sys
import warnings

sys.path.insert(0, "packages")

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword  # noqa: E402

# It warns of passwords without STARTTLS, which TLS from the first byte does not need.
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

MODE, CERTIFICATE, KEY, PASSWORD = sys.argv[1:5]


def tell(what):
    print(json.dumps(what), flush=True)


class Handler:
    later = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 there is nobody of this name"
        if address.startswith("later@") and address not in self.later:
            self.later.add(address)
            return "451 4.7.1 come again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        tell({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "message": envelope.content.decode("ascii"),
            "encrypted": MODE == "tls" or session.ssl is not None,
            "login": session.auth_data.login.decode() if session.auth_data else None,
        })
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    is_right = isinstance(data, LoginPassword) and data == LoginPassword(b"gateway", PASSWORD.encode())
    # Not handled: the server gives the answer.
    return AuthResult(success=is_right, handled=False, auth_data=data if is_right else None)


def connection(context):
    if MODE == "none":
        return SMTP(Handler(), hostname="mail.test")
    return SMTP(
        Handler(),
        hostname="mail.test",
        tls_context=context if MODE == "starttls" else None,
        require_starttls=MODE == "starttls",
        authenticator=authenticate,
        auth_required=True,
        auth_require_tls=MODE == "starttls",
    )


async def main():
    context = None
    if MODE != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, KEY)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: connection(context), "127.0.0.1", 0, ssl=context if MODE == "tls" else None
    )
    tell({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


asyncio.run(main())

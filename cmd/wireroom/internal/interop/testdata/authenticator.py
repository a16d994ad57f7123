"""An application for Crossbar with a dynamic authenticator: authenticator.py URL
REALM TICKET. It says "ready" when it is, and serves until it is ended."""

import base64
import hashlib
import hmac
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.auth import derive_key, derive_scram_credential
from autobahn.wamp.exception import ApplicationError


def scram(password, spell):
    """What an application answers, in Crossbar's spelling (hex) or in ours."""
    salt = b"a salt of this application"
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, 4096, 32)
    key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    stored, server = hashlib.sha256(key).digest(), hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    if spell == "hex":
        keys = {"salt": salt.hex(), "stored-key": stored.hex(), "server-key": server.hex()}
    else:
        keys = {name: base64.b64encode(b).decode() for name, b in (("salt", salt), ("stored_key", stored), ("server_key", server))}
    return {"kdf": "pbkdf2", "iterations": 4096, "role": "member", **keys}


USERS = {
    "scram": scram(b"password", "base64"),
    "crossbar": scram(b"password", "hex"),
    "draft": {**derive_scram_credential("draft", "password", b"sixteen bytes ok"), "role": "member"},
    "joe": {"ticket": "joe's ticket", "role": "member", "extra": {"theme": "dark"}},
    "plain": {"secret": "123456", "role": "member"},
    "salted": {"secret": derive_key("password", "salt", 100, 32).decode(), "salt": "salt", "iterations": 100, "keylen": 32, "role": "member"},
    "password": {"secret": "password", "salt": "pepper", "iterations": 100, "keylen": 32, "role": "member"},
    "keyed": {"pubkey": "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c", "authid": "kay", "role": "member"},
}
# The same users once more, of another realm; and one of a realm that the gateway
# lets nobody be sent to.
USERS.update({f"{name}-annex": {**user, "role": "guest", "realm": "annex"} for name, user in USERS.items()})
USERS["astray"] = {**USERS["joe"], "realm": "vault"}


class Application(ApplicationSession):
    def onConnect(self):
        self.join(self.config.realm, authmethods=["ticket"], authid="app")

    def onChallenge(self, challenge):
        return self.config.extra["ticket"]

    async def onJoin(self, details):
        def authenticate(realm, authid, details):
            assert realm == self.config.realm and details["session"] > 0 and details["transport"]["type"] == "websocket", details
            user = USERS.get(authid)
            if user is None:
                raise ApplicationError("com.example.no_such_user", f"there is no user {authid}")
            if details["authmethod"] == "ticket":
                if details["ticket"] != user.get("ticket"):
                    raise ApplicationError("com.example.invalid_ticket", "this is not the ticket")
                return {key: user[key] for key in ("role", "extra", "realm") if key in user}
            if details["authmethod"] == "cryptosign":
                assert len(details["authextra"]["pubkey"]) == 64
            return user

        await self.register(authenticate, "com.example.authenticate")
        print("ready", flush=True)


ApplicationRunner(sys.argv[1], sys.argv[2], extra={"ticket": sys.argv[3]}).run(Application)

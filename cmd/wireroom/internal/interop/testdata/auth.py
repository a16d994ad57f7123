"""Logs in with autobahn for Python: auth.py URL REALM LOGINS SERIALIZER.

LOGINS is a JSON list of [method, authid, secret]. For each it prints a line of
JSON: what WELCOME says, or why it was refused. WAMP-SCRAM is done by hand, as
the specification has it: autobahn has an older draft.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys

from argon2.low_level import Type, hash_secret_raw
from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.auth import AuthCryptoSign, AuthWampCra
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer

PATIENCE = 20  # seconds for each login
SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}


class Ticket:
    authextra = {}

    def __init__(self, authid, secret):
        self.secret = secret

    def on_challenge(self, session, challenge):
        return self.secret

    def on_welcome(self, extra):
        pass


class Cra(Ticket):
    def __init__(self, authid, secret):
        self.method = AuthWampCra(authid=authid, secret=secret)

    def on_challenge(self, session, challenge):
        return self.method.on_challenge(session, challenge)


class Cryptosign(Ticket):
    def __init__(self, authid, secret):
        self.method = AuthCryptoSign(authid=authid, privkey=secret)
        self.authextra = self.method.authextra

    async def on_challenge(self, session, challenge):
        return await self.method.on_challenge(session, challenge)


class Scram(Ticket):
    def __init__(self, authid, secret):
        self.authid, self.password = authid, secret.encode()
        self.nonce = base64.b64encode(os.urandom(16)).decode()
        self.authextra = {"nonce": self.nonce, "channel_binding": None}

    def on_challenge(self, session, challenge):
        extra = challenge.extra
        assert extra["nonce"].startswith(self.nonce)
        salt = base64.b64decode(extra["salt"])
        if extra["kdf"] == "argon2id13":
            salted = hash_secret_raw(self.password, salt, extra["iterations"], extra["memory"], 1, 32, Type.ID)
        else:
            salted = hashlib.pbkdf2_hmac("sha256", self.password, salt, extra["iterations"], 32)
        self.message = f"n={self.authid},r={self.nonce},r={extra['nonce']},s={extra['salt']},i={extra['iterations']},c=biws,r={extra['nonce']}"
        key = self.sum(salted, "Client Key")
        self.server_key = self.sum(salted, "Server Key")
        signature = self.sum(hashlib.sha256(key).digest(), self.message)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        return proof, {"nonce": extra["nonce"], "channel_binding": None, "cbind_data": None}

    def on_welcome(self, extra):
        assert base64.b64decode(extra["verifier"]) == self.sum(self.server_key, self.message)

    @staticmethod
    def sum(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()


METHODS = {"ticket": Ticket, "wampcra": Cra, "cryptosign": Cryptosign, "wamp-scram": Scram}


class Session(ApplicationSession):
    def onConnect(self):
        method, authid, secret = self.config.extra["login"]
        self.method = METHODS[method](authid, secret)
        self.join(self.config.realm, authmethods=[method], authid=authid or None, authextra=self.method.authextra)

    def onChallenge(self, challenge):
        answer = self.method.on_challenge(self, challenge)
        if isinstance(answer, tuple):
            from autobahn.wamp.message import Authenticate

            self._transport.send(Authenticate(*answer))
            return asyncio.get_running_loop().create_future()  # which nobody waits for
        return answer

    def onJoin(self, details):
        self.method.on_welcome(details.authextra or {})
        moved = {} if details.realm == self.config.realm else {"realm": details.realm}
        self.say(**moved, authid=details.authid, authrole=details.authrole, authmethod=details.authmethod, authprovider=details.authprovider)
        self.leave()

    def onLeave(self, details):
        self.say(reason=details.reason)
        self.disconnect()

    def onDisconnect(self):
        self.say(reason="disconnected")

    def say(self, **words):
        if not self.config.extra["said"].done():
            self.config.extra["said"].set_result(words)


async def login(url, realm, login, serializer):
    extra = {"login": login, "said": asyncio.get_running_loop().create_future()}
    await ApplicationRunner(url, realm, extra=extra, serializers=[SERIALIZERS[serializer]()]).run(Session, start_loop=False)
    print(json.dumps(await asyncio.wait_for(extra["said"], PATIENCE)), flush=True)


async def main(url, realm, logins, serializer):
    for one in json.loads(logins):
        await login(url, realm, one, serializer)


asyncio.run(main(*sys.argv[1:]))

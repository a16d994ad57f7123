"""An application for Crossbar with a dynamic authorizer, and a client of it:
authorizer.py URL REALM. It prints what came of the client's requests, and what
the authorizer was asked."""

import asyncio
import json
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.auth import AuthWampCra
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import PublishOptions, RegisterOptions, SubscribeOptions

PATIENCE = 20
asked = []


class Member(ApplicationSession):
    def onConnect(self):
        self.cra = AuthWampCra(authid=self.config.extra["authid"], secret="a shared secret")
        self.join(self.config.realm, authmethods=["wampcra"], authid=self.config.extra["authid"])

    def onChallenge(self, challenge):
        return self.cra.on_challenge(self, challenge)

    def onLeave(self, details):
        if not self.config.extra["done"].done():
            self.config.extra["done"].set_exception(RuntimeError(details.reason))
        self.disconnect()

    async def onJoin(self, details):
        try:
            self.config.extra["done"].set_result(await self.act(details))
        except Exception as e:
            self.config.extra["done"].set_exception(e)


class Application(Member):
    async def act(self, details):
        async def authorize(details, uri, action, options):
            asked.append([details["authid"], details["authrole"], details["transport"]["type"], uri, action, options.get("match")])
            if uri == "com.example.broken":
                raise ApplicationError("com.example.error", "the database is away")
            if uri.startswith("com.example.room.1"):
                return {"allow": True, "cache": True, "disclose": True}
            return uri == "com.example.echo"

        await self.register(authorize, "com.example.authorize")
        await self.register(lambda x, details=None: [x, details.caller_authid], "com.example.echo",
                            options=RegisterOptions(details_arg="details"))
        self.events = []
        await self.subscribe(lambda x, details: self.events.append([x, details.publisher_authid]), "com.example.room.1",
                             options=SubscribeOptions(details=True))
        return self


class Client(Member):
    async def act(self, details):
        said = []

        async def attempt(what):
            try:
                result = await what
                said.append(result if isinstance(result, list) else "done")
            except ApplicationError as e:
                said.append(e.error)

        acknowledge = PublishOptions(acknowledge=True)
        await attempt(self.call("com.example.echo", "hello"))
        await attempt(self.call("com.example.other", "hello"))
        for _ in range(3):
            await attempt(self.publish("com.example.room.1", "hello", options=acknowledge))
        await attempt(self.publish("com.example.room.2", "hello", options=acknowledge))
        await attempt(self.publish("com.example.broken", "hello", options=acknowledge))
        await attempt(self.subscribe(lambda x: None, "com.example.room.1", options=SubscribeOptions(match="prefix")))
        await attempt(self.subscribe(lambda x: None, "com.example.news"))
        await attempt(self.register(lambda: None, "com.example.mine"))
        return said


async def join(url, realm, kind, authid):
    done = asyncio.get_running_loop().create_future()
    await ApplicationRunner(url, realm, extra={"authid": authid, "done": done}).run(kind, start_loop=False)
    return await asyncio.wait_for(done, PATIENCE)


async def main(url, realm):
    application = await join(url, realm, Application, "app")
    said = await join(url, realm, Client, "ada")
    for _ in range(PATIENCE * 10):
        if len(application.events) == 3:
            break
        await asyncio.sleep(0.1)
    print(json.dumps({"said": said, "asked": asked, "events": application.events}))


asyncio.run(main(*sys.argv[1:]))

"""Goes the round with autobahn for Python: round.py URL REALM SERIALIZER NAME.

The steps are those of round.mjs. A second session publishes and calls.
"""

import asyncio
import json
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions

PATIENCE = 20  # seconds for what must come
SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}


def emit(step, **rest):
    print(json.dumps({"step": step, **rest}), flush=True)


class Session(ApplicationSession):
    def onJoin(self, details):
        self.config.extra["joined"].set_result((self, details))

    def onUserError(self, fail, msg):
        """A handler failed, as the round wants it to: the caller is told."""

    def onLeave(self, details):
        self.disconnect()

    def onDisconnect(self):
        self.config.extra["gone"].set_result(None)


async def connect(url, realm, serializer):
    loop = asyncio.get_running_loop()
    extra = {"joined": loop.create_future(), "gone": loop.create_future()}
    runner = ApplicationRunner(url, realm, extra=extra, serializers=[SERIALIZERS[serializer]()])
    await runner.run(Session, start_loop=False)
    return await asyncio.wait_for(extra["joined"], PATIENCE)


async def failure(future):
    try:
        await future
    except ApplicationError as error:
        return error
    raise AssertionError("it succeeded, and must not have")


async def round_(url, realm, serializer, name):
    client, details = await connect(url, realm, serializer)
    other, _ = await connect(url, realm, serializer)
    emit("joined", role=details.authrole)

    arrived = asyncio.Queue()

    async def listen(via, topic, match):
        def on_event(*args, details=None, **kwargs):
            emit("event", via=via, topic=details.topic or topic, text=kwargs.get("text"))
            arrived.put_nowait(None)

        await client.subscribe(on_event, topic, SubscribeOptions(match=match, details=True))

    async def arrivals(n):
        for _ in range(n):
            await asyncio.wait_for(arrived.get(), PATIENCE)

    await listen("exact", "demo.message", "exact")
    await listen("channel", "demo.message.lobby", "exact")
    await listen("prefix", "demo", "prefix")
    await listen("plain prefix", "chat.room1", "prefix")
    await listen("plain wildcard", "chat..said", "wildcard")

    emit("ready")  # the test now posts one event by XML-RPC and one by HTTP
    await arrivals(6)

    acknowledged = PublishOptions(acknowledge=True)
    publication = await other.publish("chat.room1.said", text="by a client", options=acknowledged)
    emit("published", id=publication.id > 0)
    await arrivals(2)
    refused = await failure(other.publish("demo.message", room="lobby", options=acknowledged))
    emit("refused", uri=refused.error, field=refused.kwargs.get("field"))

    own = f"com.example.{name}"

    def count(n, details=None):
        for i in range(1, n + 1):
            details.progress(i)
        return "counted"

    def fail():
        raise ApplicationError("com.example.error.broken", "why")

    await client.register(lambda a, b: a + b, own + ".add")
    await client.register(count, own + ".count", RegisterOptions(details_arg="details"))
    await client.register(fail, own + ".fail")
    emit("called", value=await other.call(own + ".add", 2, 3))
    seen = []
    value = await other.call(own + ".count", 3, options=CallOptions(on_progress=seen.append))
    emit("progressed", seen=seen, value=value)
    failed = await failure(other.call(own + ".fail"))
    emit("failed", uri=failed.error, args=list(failed.args))
    unknown = await failure(other.call("com.example.nobody"))
    emit("unknown", uri=unknown.error)

    # SubscribeOptions takes no options of the gateway's own, so a procedure
    # makes a topic of the query. What it is not true of is published first.
    totals, chosen = [], asyncio.Queue()

    def on_order(total, **_):
        totals.append(total)
        chosen.put_nowait(None)

    query = ["wireroom.query", "order.created"]
    topic = await other.call(*query, "total > 100 && customer == 'ada'")
    await other.subscribe(on_order, topic)
    for id, total in enumerate([80, 120], 1):
        await client.publish("order.created", id=id, customer="ada", total=total, options=acknowledged)
    await asyncio.wait_for(chosen.get(), PATIENCE)
    emit("chosen", totals=totals)
    mistaken = await failure(other.call(*query, "total > '100'"))
    emit("mistaken", uri=mistaken.error, column=mistaken.kwargs.get("column"))

    for session in (client, other):
        session.leave()
        await asyncio.wait_for(session.config.extra["gone"], PATIENCE)
    emit("done")


asyncio.run(round_(*sys.argv[1:]))

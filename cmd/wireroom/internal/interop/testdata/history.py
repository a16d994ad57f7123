"""Asks for the past with autobahn for Python: history.py URL REALM SERIALIZER.

Of an event class, whose log has it, and of a plain topic: page by page, in both
directions, by publication, time and topic.
"""

import asyncio
import sys
from datetime import datetime

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import PublishOptions

PATIENCE = 20  # seconds for everything
SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}
GET = "wamp.subscription.get_events"


class Session(ApplicationSession):
    def onJoin(self, details):
        self.config.extra["joined"].set_result(self)

    def onLeave(self, details):
        self.disconnect()

    def onDisconnect(self):
        self.config.extra["gone"].set_result(None)


async def pages(session, subscription, **filters):
    """Returns all events, asked for two at a time."""
    cursor = "before_publication" if filters.get("reverse") else "after_publication"
    events = []
    while True:
        got = await session.call(GET, subscription, limit=2, **filters)
        assert len(got.results) <= 2, got
        events += got.results
        if not got.kwresults["more"]:
            return events
        filters[cursor] = got.results[-1]["publication"]


async def ask(session, topic, **event):
    """Publishes five events to the topic and finds them in its past."""
    acknowledge = PublishOptions(acknowledge=True)
    published = []
    for n in range(5):
        publication = await session.publish(topic, options=acknowledge, text="é%d" % n, **event)
        published.append(publication.id)
    subscription = (await session.subscribe(lambda *args, **kwargs: None, topic)).id
    events = await pages(session, subscription)
    assert [e["publication"] for e in events] == published, events
    assert [e["kwargs"]["text"] for e in events] == ["é%d" % n for n in range(5)], events
    assert {e["subscription"] for e in events} == {subscription}, events
    times = [datetime.fromisoformat(e["timestamp"].replace("Z", "+00:00")) for e in events]
    assert times == sorted(times), times
    events = await pages(session, subscription, reverse=True)
    assert [e["publication"] for e in events] == published[::-1], events

    async def find(*args, **filters):
        got = await session.call(GET, subscription, *args, **filters)
        return [e["publication"] for e in got.results]

    assert await find(1) == published[:1]
    assert await find(from_publication=published[3]) == published[3:]
    assert await find(until_publication=published[1], reverse=True) == published[1::-1]
    assert await find(from_time=events[-1]["timestamp"]) == published
    assert await find(before_time="2020-01-01T00:00:00Z") == []
    assert await find(topic="some.other.topic") == []
    try:
        await find(since=1)
        raise AssertionError("an unknown filter is overlooked")
    except ApplicationError as error:
        assert error.error == "wamp.error.invalid_argument", error
    return published


async def main(url, realm, serializer):
    loop = asyncio.get_running_loop()
    extra = {"joined": loop.create_future(), "gone": loop.create_future()}
    runner = ApplicationRunner(url, realm, extra=extra, serializers=[SERIALIZERS[serializer]()])
    await runner.run(Session, start_loop=False)
    session = await extra["joined"]
    said = await ask(session, "past.x")
    await ask(session, "demo.message", room="lobby")

    # The subscription of the history itself is there without subscribers.
    subscription = await session.call("wamp.subscription.lookup", "past.", {"match": "prefix"})
    got = await session.call(GET, subscription, topic="past.x")
    assert [e["publication"] for e in got.results] == said, got
    assert {e["details"]["topic"] for e in got.results} == {"past.x"}, got
    session.leave()
    await extra["gone"]


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), PATIENCE))

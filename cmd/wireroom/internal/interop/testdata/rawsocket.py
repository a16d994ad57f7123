"""Speaks RawSocket with autobahn for Twisted: rawsocket.py URL REALM SERIALIZER.

It subscribes, hears what it publishes, calls, and leaves. Of the two
implementations this is the one that works: in version 22.7.1 that for asyncio
fails at WELCOME, whatever the router.
"""

import sys

from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import PublishOptions
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks

PATIENCE = 20  # seconds for everything
SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}
LENGTHS = [0, 1, 1000, 70_000, 1_000_000]  # of what is published


class Session(ApplicationSession):
    done = False

    @inlineCallbacks
    def onJoin(self, details):
        heard = []
        all_heard = Deferred()

        def on_event(text):
            heard.append(text)
            if len(heard) == len(LENGTHS):
                all_heard.callback(None)

        yield self.subscribe(on_event, "chat.raw")
        own = PublishOptions(acknowledge=True, exclude_me=False)
        for n in LENGTHS:
            yield self.publish("chat.raw", "é" + "x" * n, options=own)
        yield all_heard
        assert heard == ["é" + "x" * n for n in LENGTHS], [len(text) for text in heard]

        yield self.register(lambda a, b: a + b, "com.example.raw.add")
        assert (yield self.call("com.example.raw.add", 20, 22)) == 42
        Session.done = True
        self.leave()

    def onDisconnect(self):
        if reactor.running:
            reactor.stop()


url, realm, serializer = sys.argv[1:]
reactor.callLater(PATIENCE, reactor.stop)
ApplicationRunner(url, realm, serializers=[SERIALIZERS[serializer]()]).run(Session)
sys.exit(0 if Session.done else 1)

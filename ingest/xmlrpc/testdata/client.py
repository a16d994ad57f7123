"""Posts events with Python's own XML-RPC client; argument: the server's URL."""

import datetime
import sys
import xmlrpc.client

url = sys.argv[1] + "/RPC2"
server = xmlrpc.client.ServerProxy(url, allow_none=True)


def fault(code, call, *args):
    """Calls and returns the fault's text, which must have the code."""
    try:
        result = call(*args)
    except xmlrpc.client.Fault as e:
        assert e.faultCode == code, e
        return e.faultString
    raise AssertionError("no fault, but %r" % (result,))


def equal(got, want):
    assert got == want, "got %r, want %r" % (got, want)


# The line of the README.
plain = xmlrpc.client.ServerProxy(url)
equal(plain.event.publish("demo", "demo.message", {"room": "lobby", "text": "hello"}), "drawn-1")

# Every type.
every = {
    "text": "<&>\"'\\ ünï 😀\n\ttab",
    "empty": "",
    "double": 2.5,
    "whole": 3.0,
    "bool": True,
    "nil": None,
    "array": [1, "two", []],
    "struct": {"a b": {}},
    "date": datetime.datetime(2026, 1, 31, 14, 5, 6),
    "base64": b"\x00\x01\xff",
}


class Long(int):
    """Python refuses integers of more than 32 bits unless told otherwise."""


def dump_long(marshaller, value, write):
    write("<value><i8>%d</i8></value>" % value)


xmlrpc.client.Marshaller.dispatch[Long] = dump_long
builtin = xmlrpc.client.ServerProxy(url, allow_none=True, use_builtin_types=True)
equal(builtin.event.publish("demo", "types", dict(every, big=Long(9007199254740993)), "types-1"), "types-1")
wrapped = dict(
    every,
    date=xmlrpc.client.DateTime("20260131T14:05:06"),
    base64=xmlrpc.client.Binary(b"\x00\x01\xff"),
)
equal(server.event.publish("demo", "types", dict(wrapped, big=Long(9007199254740993)), "types-1"), "types-1")

# A large one.
rows = [{"n": n, "text": "row %d of them" % n} for n in range(2000)]
equal(server.event.publish("demo", "large", {"rows": rows}, "large-1"), "large-1")

# A batch, and calls in one request.
equal(
    server.event.publish_many("demo", [{"class": "batch", "data": {"n": n}, "id": "b%d" % n} for n in range(2)]),
    ["b0", "b1"],
)
multi = xmlrpc.client.MultiCall(server)
multi.event.publish("demo", "multi", {"n": 2}, "multi-1")
multi.event.publish("demo", "forbidden", {})
multi.system.listMethods()
results = multi()
equal(results[0], "multi-1")
assert "forbidden" in fault(403, lambda: results[1])
assert "event.publish" in results[2]

# Introspection.
for name in server.system.listMethods():
    assert server.system.methodHelp(name).startswith(name + "("), name
    for signature in server.system.methodSignature(name):
        assert all(isinstance(t, str) for t in signature), signature
assert "nil" in server.system.getCapabilities()

# Classes.
(order,) = getattr(server, "class.list")("demo")  # class is a keyword
equal(order["fields"][0], {"name": "total", "type": "number", "required": True, "min": 0.5, "enum": [1, 2.5, "three"]})
equal(order["roles"], ["staff"])

# Tokens.
equal(server.session.token("demo", "joe", ["staff", "ops"], 3600), "joe staff,ops 1h0m0s")

# Faults.
equal(fault(422, server.event.publish, "demo", "strict", {}), 'strict: total: expected a number, found "<x>"')
fault(404, server.event.publish, "demo", "unknown", {})
fault(401, server.event.publish, "no such key", "a", {})
fault(503, server.event.publish, "demo", "away", {})
fault(-32601, server.no.such.method)
fault(-32602, server.event.publish, "demo")
fault(-32702, server.event.publish, "demo", "a", {"text": "\x01"})
nested = {}
for _ in range(100):
    nested = {"n": nested}
fault(-32600, server.event.publish, "demo", "a", nested)

# Too large a request is no call at all.
try:
    server.event.publish("demo", "a", {"text": "x" * (1 << 20)})
    raise AssertionError("taken")
except xmlrpc.client.ProtocolError as e:
    equal(e.errcode, 413)

# Telegraphy's web applications.
event = {
    "name": "telegraphy_demo.MyModel",
    "meta": {"event_type": "create", "timestamp": "2026-01-31T14:05:06.000000Z"},
    "data": {"title": "a", "count": 5},
}
equal(server.send_event(event), None)
equal(server.send_event("telegraphy_demo.MyModel", '{"name": "telegraphy_demo.MyModel", "data": {"count": 5}}'), True)
equal(server.send_event("unknown", "{}"), False)
with_key = xmlrpc.client.ServerProxy(url.replace("http://", "http://any:s3cret@"), allow_none=True)
equal(with_key.send_event({"name": "telegraphy_demo.MyModel"}), None)

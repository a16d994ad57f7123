"""Publishes over the HTTP bridge as Crossbar's client library does: signed or
not, with the parameters and the answer that it knows."""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import random
import sys
import urllib.parse

address, key, secret = sys.argv[1:]


def publish(topic, args, signed, seq):
    body = json.dumps({"topic": topic, "args": args}, separators=(",", ":")).encode()
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    query = {"timestamp": stamp, "seq": seq}
    if signed:
        query["key"] = key
        query["nonce"] = random.randint(0, 9007199254740992)
        mac = hmac.new(secret.encode(), None, hashlib.sha256)
        for part in (key, stamp, str(seq), str(query["nonce"])):
            mac.update(part.encode())
        mac.update(body)
        query["signature"] = base64.urlsafe_b64encode(mac.digest())
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", "/publish?" + urllib.parse.urlencode(query), body,
                       {"Content-type": "application/json", "User-agent": "crossbarconnect-python"})
    response = connection.getresponse()
    answer = response.read()
    assert response.status == 202, (response.status, answer)
    assert json.loads(answer)["id"] > 0, answer


publish("com.example.signed", ["Hello, world", 23], True, 1)
publish("com.example.signed", [], True, 2)
publish("com.example.unsigned", ["ü"], False, 3)

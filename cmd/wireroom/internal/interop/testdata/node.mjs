// Goes the round in Node: node.mjs LIBRARY URL REALM SERIALIZER NAME, with the
// folder that has node_modules in NODE_CLIENTS.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { connectAutobahn } from "./autobahn.mjs";
import { FetchRequest, inOrder, longpoll } from "./longpoll.mjs";
import { round } from "./round.mjs";
import { connectWampy } from "./wampy.mjs";

const [library, url, realm, serializer, name] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${process.env.NODE_CLIENTS}/`));

const libraries = {
  autobahn() {
    const autobahn = require("autobahn");
    const { JSONSerializer, MsgpackSerializer, CBORSerializer } = autobahn.serializer;
    const serializers = { json: JSONSerializer, msgpack: MsgpackSerializer, cbor: CBORSerializer };
    return connectAutobahn(autobahn, realm, { url, serializers: [new serializers[serializer]()] });
  },
  "autobahn by requests"() { // which are in JSON
    globalThis.XMLHttpRequest = inOrder(FetchRequest);
    return connectAutobahn(require("autobahn"), realm, longpoll(url));
  },
  wampy() {
    const { Wampy } = require("wampy");
    const { WebSocket } = require("ws");
    const from = { json: "JsonSerializer", msgpack: "MsgpackSerializer", cbor: "CborSerializer" }[serializer];
    const { [from]: Serializer } = require(`wampy/${from}.js`);
    return connectWampy(Wampy, url, realm, { ws: WebSocket, serializer: new Serializer() });
  },
};

const emit = (step, rest = {}) => process.stdout.write(`${JSON.stringify({ step, ...rest })}\n`);
try {
  await round(libraries[library](), name, emit);
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}

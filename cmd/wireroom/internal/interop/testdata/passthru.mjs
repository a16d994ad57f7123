// Passes payloads through with wampy: passthru.mjs URL REALM SERIALIZERS
// PAYLOADS, with the folder that has node_modules in NODE_CLIENTS. SERIALIZERS
// are those of two sessions, PAYLOADS those of what one sends to the other, each
// with commas between. For each payload it prints a line of JSON.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, realm, sessions, payloads] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${process.env.NODE_CLIENTS}/`));
const { Wampy } = require("wampy");
const { WebSocket } = require("ws");
const names = { json: "JsonSerializer", msgpack: "MsgpackSerializer", cbor: "CborSerializer" };
const made = Object.fromEntries(Object.entries(names).map(([name, file]) => [name, () => new (require(`wampy/${file}.js`)[file])()]));

async function join(serializer) {
  const wampy = new Wampy(url, {
    realm, autoReconnect: false, ws: WebSocket, serializer: made[serializer](),
    payloadSerializers: Object.fromEntries(Object.entries(made).map(([name, make]) => [name, make()])),
  });
  await wampy.connect();
  return wampy;
}

const [first, second] = await Promise.all(sessions.split(",").map(join));
const said = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const marked = ({ ppt_scheme, ppt_serializer, ppt_keyid }) => ({ ppt_scheme, ppt_serializer, ppt_keyid });

try {
  for (const serializer of payloads.split(",")) {
    const options = { ppt_scheme: "x_mine", ppt_serializer: serializer, ppt_keyid: "k1" };
    const topic = `com.example.passthru.${serializer}`;
    const event = new Promise((resolve) => {
      second.subscribe(topic, ({ details, argsList, argsDict }) => resolve({ marked: marked(details), argsList, argsDict }))
        .then(() => first.publish(topic, { argsList: [1, "½"], argsDict: { a: [true] } }, options));
    });
    const got = await event;
    await second.register(`${topic}.swap`, ({ details, argsList: [a, b] }) => ({
      options: { ...options, ppt_keyid: "k2" }, argsList: [b, a], argsDict: { asked: marked(details) },
    }));
    const result = await first.call(`${topic}.swap`, { argsList: ["x", 2] }, options);
    said({ serializer, event: got, result: { marked: marked(result.details), argsList: result.argsList, argsDict: result.argsDict } });
  }
  await Promise.all([first.disconnect(), second.disconnect()]);
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}

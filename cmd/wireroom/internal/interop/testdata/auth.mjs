// Logs in with autobahn for JavaScript: auth.mjs URL REALM LOGINS, with the
// folder that has node_modules in NODE_CLIENTS. LOGINS is a JSON list of
// [method, authid, secret]. For each it prints a line of JSON: what WELCOME
// says, or why it was refused.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, realm, logins] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${process.env.NODE_CLIENTS}/`));
const autobahn = require("autobahn");
const nacl = createRequire(require.resolve("autobahn"))("tweetnacl");

function answer(method, secret, extra) {
  switch (method) {
    case "ticket":
      return secret;
    case "wampcra":
      return autobahn.auth_cra.sign(extra.salt === undefined ? secret
        : autobahn.auth_cra.derive_key(secret, extra.salt, extra.iterations, extra.keylen), extra.challenge);
    case "cryptosign":
      return autobahn.auth_cryptosign.sign_challenge(keyPair(secret), extra);
    default:
      throw new Error(`no such method: ${method}`);
  }
}

const keyPair = (secret) => nacl.sign.keyPair.fromSeed(Uint8Array.from(Buffer.from(secret, "hex")));

function login([method, authid, secret]) {
  const authextra = method === "cryptosign"
    ? { pubkey: autobahn.auth_cryptosign.public_key(keyPair(secret)), channel_binding: null } : {};
  return new Promise((resolve) => {
    const connection = new autobahn.Connection({
      url, realm, max_retries: 0, authmethods: [method], authextra, ...(authid && { authid }),
      onchallenge: (session, asked, extra) => answer(asked, secret, extra),
    });
    connection.onopen = (session, { authid, authrole, authmethod, authprovider }) => {
      resolve({ authid, authrole, authmethod, authprovider });
      connection.close();
    };
    connection.onclose = (reason, details) => {
      resolve({ reason: details?.reason ?? reason });
      return true; // do not come back
    };
    connection.open();
  });
}

for (const one of JSON.parse(logins)) console.log(JSON.stringify(await login(one)));
process.exit(0);

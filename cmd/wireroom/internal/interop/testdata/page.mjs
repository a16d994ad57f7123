// Goes the round in a browser: page.html?library=…&url=…&realm=…&name=…
// with the URL of a WebSocket, or of WAMP by HTTP requests.

import { connectAutobahn } from "./autobahn.mjs";
import { inOrder, longpoll } from "./longpoll.mjs";
import { round } from "./round.mjs";
import { connectWampy } from "./wampy.mjs";

const { library, url, realm, name } = Object.fromEntries(new URLSearchParams(location.search));
const connect = {
  autobahn: () => {
    if (!url.startsWith("http")) return connectAutobahn(window.autobahn, realm, { url });
    window.XMLHttpRequest = inOrder(XMLHttpRequest);
    return connectAutobahn(window.autobahn, realm, longpoll(url));
  },
  wampy: () => connectWampy(window.Wampy, url, realm),
}[library];

const emit = (step, rest = {}) => console.log(JSON.stringify({ step, ...rest }));
const script = document.createElement("script");
script.src = `/clients/${library}.js`;
script.onload = () => round(connect(), name, emit)
  .catch((error) => emit("broken", { error: error.stack ?? JSON.stringify(error) }));
script.onerror = () => emit("broken", { error: `${script.src} cannot be loaded` });
document.head.append(script);

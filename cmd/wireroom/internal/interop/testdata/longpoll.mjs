// What autobahn-js needs for WAMP by HTTP requests: an XMLHttpRequest, which
// Node has not, and one that keeps order. autobahn posts each message in a
// request of its own without waiting for the one before, and over several
// connections a later one can arrive first.

/** Returns the class, with requests to send that wait for each other. */
export function inOrder(Base) {
  const last = new Map(); // by URL, when the request before it ends
  return class extends Base {
    #url;
    open(method, url, async) {
      this.#url = url;
      super.open(method, url, async);
    }
    send(body) {
      if (!this.#url.endsWith("/send")) return super.send(body);
      const before = last.get(this.#url);
      const ended = new Promise((resolve) => this.addEventListener("loadend", resolve));
      last.set(this.#url, ended);
      if (!before) return super.send(body);
      before.then(() => super.send(body));
    }
  };
}

/**
 * Returns the class, with requests to receive that say which messages have
 * arrived: then nothing gets lost with an answer, and a persistent subscription
 * can be acknowledged by that.
 */
export function numbered(Base) {
  const arrived = new Map(); // by URL, the number of the last message
  return class extends Base {
    #url;
    constructor() {
      super();
      // Before anybody else hears of the answer, and asks for more.
      this.addEventListener("readystatechange", () => {
        const seq = this.readyState === 4 && this.status === 200 && this.getResponseHeader("Wireroom-Seq");
        if (seq) arrived.set(this.#url, seq);
      });
    }
    open(method, url, async) {
      this.#url = url;
      super.open(method, url.endsWith("/receive") ? `${url}?ack=${arrived.get(url) ?? 0}` : url, async);
    }
  };
}

/** As much of XMLHttpRequest as autobahn and numbered use, by fetch. */
export class FetchRequest extends EventTarget {
  readyState = 0;
  status = 0;
  statusText = "";
  responseText = "";
  timeout = 0; // milliseconds
  #url;
  #request;
  #headers;
  open(method, url) {
    this.#url = url;
    this.#request = { method, headers: {} };
  }
  setRequestHeader(name, value) {
    this.#request.headers[name] = value;
  }
  getResponseHeader(name) {
    return this.#headers?.get(name) ?? null;
  }
  async send(body) {
    try {
      const signal = this.timeout > 0 ? AbortSignal.timeout(this.timeout) : undefined;
      const answer = await fetch(this.#url, { ...this.#request, body, signal });
      this.responseText = await answer.text();
      this.#headers = answer.headers;
      ({ status: this.status, statusText: this.statusText } = answer);
    } catch (error) {
      if (error.name === "TimeoutError") this.ontimeout?.();
      this.statusText = String(error.cause ?? error);
    }
    this.readyState = 4;
    this.dispatchEvent(new Event("readystatechange"));
    this.onreadystatechange?.();
    this.dispatchEvent(new Event("loadend"));
  }
}

/** What autobahn's Connection is to be given for the transport at the URL. */
export const longpoll = (url) => ({
  transports: [{ type: "longpoll", url, request_timeout: 60_000 }],
});

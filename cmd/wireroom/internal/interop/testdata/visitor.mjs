// A page of a visitor: visitor.html?gateway=ADDRESS, with an address of http. It
// does nothing by itself; the script that has opened it calls window.visitor.

const gateway = new URLSearchParams(location.search).get("gateway");
const EVENT = 36;

// autobahn-js hands out none of an event's own Details. They are taken from the
// message right before it reads that: listeners are called in order.
let details;
window.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    this.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message[0] === EVENT) details = message[3];
    });
  }
};

let session;
const say = (e) => { throw new Error(e.error ? `${e.error} ${e.args}` : String(e)); };

window.visitor = {
  tapes: {}, // of each subscription what has come, as [n, offset, "replayed" or "live"]
  joined: [], // WELCOME's details, of each session
  ended: [], // the reason, of each session

  /** Asks for the client cookie, as the page of an application does, and returns what the gateway says. */
  async token(method = "POST", jwt) {
    const headers = jwt ? { Authorization: `Bearer ${jwt}` } : {};
    const answer = await fetch(`${gateway}/session`, { method, headers, credentials: "include" });
    if (!answer.ok) throw new Error(`${method} /session: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  },

  /** Joins, and subscribes to order.created with each of the options; again whenever the connection is lost. */
  join(subscriptions = {}, retries = 0) {
    return new Promise((resolve, reject) => {
      const connection = new autobahn.Connection({
        url: `${gateway.replace("http", "ws")}/ws`, realm: "realm1", protocols: ["wamp.2.json"],
        max_retries: retries, initial_retry_delay: 0.1, max_retry_delay: 0.5,
      });
      connection.onopen = async (opened, { authid, authrole, authextra }) => {
        session = opened;
        this.joined.push({ authid, authrole, client: authextra?.client });
        try {
          for (const [name, options] of Object.entries(subscriptions)) await this.subscribe(name, options);
          resolve();
        } catch (e) {
          reject(e);
        }
      };
      connection.onclose = (reason, { reason: goodbye }) => {
        this.ended.push(goodbye ?? reason);
        reject(new Error(`closed: ${goodbye ?? reason}`)); // of no effect after a join
      };
      connection.open();
    });
  },

  /** Subscribes. What comes goes onto the tape of that name. */
  async subscribe(name, options) {
    const tape = this.tapes[name] ??= [];
    await session.subscribe("order.created", (args, { n }) => {
      if (details._recovered === false) tape.push("lost");
      tape.push([n, details._offset, details._replayed ? "replayed" : "live"]);
    }, options).catch(say);
  },

  /** Calls a procedure of the gateway. */
  async call(procedure, kwargs) {
    const result = await session.call(procedure, [], kwargs).catch(say);
    return result?.kwargs ?? result;
  },

  /** Returns the persistent subscriptions that there are, as [name, offset]. */
  async owns() {
    const { subscriptions } = await this.call("wireroom.subscription.list");
    return subscriptions.map((s) => [s.name, s._offset]).sort();
  },
};

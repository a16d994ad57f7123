// A WAMP v2 client over a WebSocket with JSON: as much of WAMP as this page
// needs, and nothing of the page.
//
// A Client keeps one session alive. When the connection is lost it comes back
// by itself, waiting longer after each failure, and renews its subscriptions.
// One that had numbered events (Details._offset) asks for what came after the
// last of them, so that nothing is missed and nothing is seen twice.

const HELLO = 1, WELCOME = 2, ABORT = 3, GOODBYE = 6, ERROR = 8;
const PUBLISH = 16, PUBLISHED = 17;
const SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34, UNSUBSCRIBED = 35, EVENT = 36;
const CALL = 48, RESULT = 50;

const FIRST_DELAY = 500; // milliseconds; doubled after each failure
const LONGEST_DELAY = 30_000;
const REFUSED_DELAY = 5_000; // at least, after the router said no
const JOIN_TIMEOUT = 10_000; // from the first byte to WELCOME
const STEADY = 5_000; // a session that lived this long was no failure

// LOST is the URI of this client's own error: nobody answered.
const LOST = "wireroom.error.connection_lost";

/** What the router, or the loss of the connection, answered to a request. */
export class WampError extends Error {
  constructor(uri, args, kwargs) {
    super(typeof args?.[0] === "string" ? args[0] : uri);
    this.uri = uri;
    this.args = args ?? [];
    this.kwargs = kwargs ?? {};
  }
}

/**
 * A Client's states, as given to onstate:
 *   {name: "stopped"}
 *   {name: "connecting"}
 *   {name: "live", session, details}       details: those of WELCOME
 *   {name: "waiting", reason, retryAt}     retryAt: as Date.now() counts
 *   {name: "refused", reason, retryAt}     the router answered, and said no
 */
export class Client {
  #url; #realm; #prepare; #onstate; #Socket; #random;
  #socket = null;
  #attempt = 0; // what belongs to an earlier attempt is ignored
  #failures = 0;
  #timer = 0;
  #liveSince = 0;
  #leaving = {}; // why the router is about to close: {reason, refused, delay}
  #requests = new Map(); // request id -> {resolve, reject}
  #lastRequest = 0;
  #subscriptions = new Set();
  #byId = new Map(); // the router's subscription id -> subscription

  state = { name: "stopped" };

  /**
   * @param url       of the router's WebSocket
   * @param realm     to join
   * @param prepare   async, called before each attempt; if it fails, so does the attempt
   * @param onstate   called with each new state
   */
  constructor({ url, realm, prepare = async () => {}, onstate = () => {}, Socket = WebSocket, random = Math.random }) {
    this.#url = url;
    this.#realm = realm;
    this.#prepare = prepare;
    this.#onstate = onstate;
    this.#Socket = Socket;
    this.#random = random;
  }

  /** Connects now, whatever was waited for. Does nothing while there is a connection. */
  start() {
    if (!this.#socket && this.state.name !== "connecting") this.#connect();
  }

  /** Says goodbye and stays away until start. */
  stop() {
    this.#send([GOODBYE, {}, "wamp.close.normal"]);
    this.#drop("stopped by this page");
    this.#set({ name: "stopped" });
  }

  /** Gives up a connection that seems dead, and connects anew. */
  reset(reason) {
    if (this.state.name !== "live") return;
    this.#drop(reason);
    this.#connect();
  }

  /**
   * Subscribes to a topic, now and after every reconnect. The same topic with
   * another query is another subscription.
   * options are those of SUBSCRIBE; _last counts for the first time only, if
   * the events are numbered. onevent gets {topic, args, kwargs, details};
   * onchange gets the subscription when it is confirmed, refused or revoked:
   * its active is true or its error a WampError.
   */
  subscribe(topic, options, onevent, onchange = () => {}) {
    const sub = { topic, options, onevent, onchange, active: false, error: null, id: 0, epoch: undefined, offset: undefined };
    this.#subscriptions.add(sub);
    if (this.state.name === "live") this.#subscribe(sub);
    return sub;
  }

  /** Ends a subscription. */
  unsubscribe(sub) {
    this.#subscriptions.delete(sub);
    if (!sub.active) return;
    sub.active = false;
    if (this.#byId.get(sub.id) !== sub) return; // another that the router takes for the same has it now
    this.#byId.delete(sub.id);
    this.#request(UNSUBSCRIBE, sub.id).catch(() => {}); // a lost connection ends it as well
  }

  /** Publishes, and resolves with the publication's id when the router has acknowledged it. */
  async publish(topic, args = [], kwargs = {}, options = {}) {
    const [id] = await this.#request(PUBLISH, { ...options, acknowledge: true }, topic, args, kwargs);
    return id;
  }

  /** Calls a procedure, and resolves with {args, kwargs}. */
  async call(procedure, args = [], kwargs = {}, options = {}) {
    const [, a, k] = await this.#request(CALL, options, procedure, args, kwargs);
    return { args: a ?? [], kwargs: k ?? {} };
  }

  async #connect() {
    clearTimeout(this.#timer);
    const attempt = ++this.#attempt;
    const current = () => attempt === this.#attempt;
    this.#leaving = {};
    this.#liveSince = 0;
    this.#set({ name: "connecting" });
    this.#timer = setTimeout(() => this.#lost("no answer in time"), JOIN_TIMEOUT);
    try {
      await this.#prepare();
    } catch (error) {
      if (current()) this.#lost(error.message);
      return;
    }
    if (!current()) return;

    const socket = this.#socket = new this.#Socket(this.#url, ["wamp.2.json"]);
    socket.onopen = () => {
      if (current()) this.#send([HELLO, this.#realm, { agent: "wireroom-console", roles: { subscriber: {}, publisher: {}, caller: {} } }]);
    };
    socket.onmessage = ({ data }) => {
      if (current()) this.#receive(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (current()) this.#lost(reason || (code !== 1006 ? `closed with code ${code}` : this.#liveSince ? "it broke off" : "nobody answers"));
    };
  }

  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      this.#lost("the router sent what is no JSON");
      return;
    }
    const [type, ...rest] = message;
    switch (type) {
      case WELCOME: return this.#welcome(...rest);
      case EVENT: return this.#event(...rest);
      case SUBSCRIBED: case PUBLISHED: case RESULT: return this.#answer(rest);
      case UNSUBSCRIBED: return rest[0] === 0 ? this.#revoked(rest[1]) : this.#answer(rest);
      case ERROR: {
        const [, request, , uri, args, kwargs] = rest;
        return this.#take(request)?.reject(new WampError(uri, args, kwargs));
      }
      case ABORT: {
        const [details, uri] = rest;
        const delay = retryAfter(details); // if it says when to come back, it means not now
        this.#leaving = { reason: explain(uri, details), refused: !delay, delay };
        return this.#lost();
      }
      case GOODBYE: {
        const [details, uri] = rest;
        this.#leaving = { reason: explain(uri, details), delay: retryAfter(details) };
        this.#send([GOODBYE, {}, "wamp.close.goodbye_and_out"]);
        return this.#lost();
      }
    }
  }

  #welcome(session, details) {
    clearTimeout(this.#timer);
    this.#lastRequest = 0; // ids count from one in each session
    this.#liveSince = Date.now();
    this.#set({ name: "live", session, details });
    for (const sub of this.#subscriptions) this.#subscribe(sub);
  }

  async #subscribe(sub) {
    let options = sub.options;
    if (sub.offset !== undefined) {
      const { _last, ...others } = options;
      options = { ...others, _since: sub.epoch === undefined ? sub.offset : `${sub.epoch}:${sub.offset}` };
    }
    sub.error = null;
    try {
      // The handler of the answer runs before that of the next message, so
      // that no event comes for an id that is not yet known.
      await this.#request(SUBSCRIBE, options, sub.topic, (id) => {
        sub.id = id;
        sub.active = true;
        this.#byId.set(id, sub);
      });
      if (!this.#subscriptions.has(sub)) return this.unsubscribe(sub);
    } catch (error) {
      if (error.uri === LOST) return; // to be renewed in the next session
      sub.error = error;
    }
    sub.onchange(sub);
  }

  #event(id, publication, details, args, kwargs) {
    const sub = this.#byId.get(id);
    if (!sub) return;
    const { _epoch: epoch, _offset: offset } = details;
    if (offset !== undefined) {
      if (epoch === sub.epoch && offset <= sub.offset) return; // had it before
      sub.epoch = epoch;
      sub.offset = offset;
    }
    sub.onevent({ topic: details.topic ?? sub.topic, publication, args: args ?? [], kwargs: kwargs ?? {}, details });
  }

  #revoked({ subscription, reason } = {}) {
    const sub = this.#byId.get(subscription);
    if (!sub) return;
    this.#byId.delete(subscription);
    sub.active = false;
    sub.error = new WampError(reason ?? "wamp.subscription.revoked");
    sub.onchange(sub);
  }

  #request(type, ...rest) {
    const onanswer = typeof rest.at(-1) === "function" ? rest.pop() : undefined;
    return new Promise((resolve, reject) => {
      if (this.state.name !== "live") {
        reject(new WampError(LOST, ["There is no connection."]));
        return;
      }
      const id = ++this.#lastRequest;
      this.#requests.set(id, { resolve, reject, onanswer });
      this.#send([type, id, ...rest]);
    });
  }

  #answer([request, ...rest]) {
    const waiting = this.#take(request);
    waiting?.onanswer?.(...rest);
    waiting?.resolve(rest);
  }

  #take(request) {
    const waiting = this.#requests.get(request);
    this.#requests.delete(request);
    return waiting;
  }

  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  // lost ends the attempt or session and plans the next one.
  #lost(why) {
    const { reason = why, refused = false, delay = 0 } = this.#leaving;
    const steady = this.#liveSince > 0 && Date.now() - this.#liveSince >= STEADY;
    this.#failures = steady ? 0 : this.#failures + 1;
    this.#drop(reason);
    const backoff = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.max(0, this.#failures - 1));
    // Jitter, so that all the pages of a router that restarts do not come at once.
    const wait = Math.max(backoff * (0.5 + this.#random() / 2), delay, refused ? REFUSED_DELAY : 0);
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#set({ name: refused ? "refused" : "waiting", reason, retryAt: Date.now() + wait });
  }

  // drop forgets the connection and fails what waited for it.
  #drop(reason) {
    clearTimeout(this.#timer);
    this.#attempt++;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.#byId.clear();
    for (const sub of this.#subscriptions) sub.active = false;
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const { reject } of requests) reject(new WampError(LOST, [`The connection was lost: ${reason}`]));
  }

  #set(state) {
    this.state = state;
    this.#onstate(state);
  }
}

function explain(uri, details) {
  return details?.message ? `${details.message} (${uri})` : uri;
}

// retryAfter reads Details._retry_after, in seconds, as milliseconds.
function retryAfter(details) {
  const seconds = Number(details?._retry_after);
  return seconds > 0 ? seconds * 1000 : 0;
}

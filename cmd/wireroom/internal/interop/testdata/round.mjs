// The round that every client goes: the same steps in the same order, whatever
// the library. Each step is said with emit, and the Go test compares.
//
// A library is reached through a connect function. It resolves with
//   {details, subscribe(topic, options, handler), publish(topic, args, kwargs),
//    register(procedure, handler), call(procedure, args, onprogress), leave()}
// where a handler of events gets {topic, kwargs, details}, one of calls gets
// (args, progress) and may throw {uri, args}, and failures reject with
// {uri, args, kwargs}.

const PATIENCE = 20_000; // milliseconds for what must come

/** Goes the round with two sessions: the second publishes what the first receives. */
export async function round(connect, name, emit) {
  const client = await connect();
  const other = await connect();
  emit("joined", { role: client.details.authrole });

  const arrivals = new Counter();
  const listen = (via, topic, match) => client.subscribe(topic, { match }, (event) => {
    emit("event", { via, topic: event.topic, text: event.kwargs.text, class: event.details?._class });
    arrivals.add();
  });
  await listen("exact", "demo.message", "exact");
  await listen("channel", "demo.message.lobby", "exact");
  await listen("prefix", "demo", "prefix");
  await listen("plain prefix", "chat.room1", "prefix");
  await listen("plain wildcard", "chat..said", "wildcard");

  emit("ready"); // the test now posts one event by XML-RPC and one by HTTP
  await arrivals.reach(6);

  emit("published", { id: (await other.publish("chat.room1.said", [], { text: "by a client" })) > 0 });
  await arrivals.reach(8);
  const refused = await failure(other.publish("demo.message", [], { room: "lobby" }));
  emit("refused", { uri: refused.uri, field: refused.kwargs?.field });

  const own = `com.example.${name}`;
  await client.register(`${own}.add`, (args) => args[0] + args[1]);
  await client.register(`${own}.count`, (args, progress) => {
    for (let i = 1; i <= args[0]; i++) progress(i);
    return "counted";
  });
  await client.register(`${own}.fail`, () => { throw { uri: "com.example.error.broken", args: ["why"] }; });
  emit("called", { value: await other.call(`${own}.add`, [2, 3]) });
  const seen = [];
  const value = await other.call(`${own}.count`, [3], (n) => seen.push(n));
  emit("progressed", { seen, value });
  const failed = await failure(other.call(`${own}.fail`, []));
  emit("failed", { uri: failed.uri, args: failed.args });
  emit("unknown", { uri: (await failure(other.call("com.example.nobody", []))).uri });

  // An option of the gateway's own goes through: the log is replayed.
  const replayed = new Counter(), again = [];
  await other.subscribe("demo.message", { _last: 2 }, ({ kwargs, details }) => {
    again.push({ text: kwargs.text, marked: details?._replayed });
    replayed.add();
  });
  await replayed.reach(2);
  emit("replayed", { again });

  // And so does a query. What it is not true of is published first.
  const chosen = new Counter(), totals = [];
  await other.subscribe("order.created", { _where: "total > 100 && customer == 'ada'" }, ({ kwargs }) => {
    totals.push(kwargs.total);
    chosen.add();
  });
  for (const [id, total] of [80, 120].entries()) {
    await client.publish("order.created", [], { id: id + 1, customer: "ada", total });
  }
  await chosen.reach(1);
  emit("chosen", { totals });
  const mistaken = await failure(other.subscribe("order.created", { _where: "total > '100'" }, () => {}));
  emit("mistaken", { uri: mistaken.uri, column: mistaken.kwargs?.column });

  await client.leave();
  await other.leave();
  emit("done");
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    if (error.uri) return error;
    throw error;
  }
  throw new Error("it succeeded, and must not have");
}

class Counter {
  #count = 0;
  #waiting = [];
  add() {
    this.#count++;
    this.#waiting = this.#waiting.filter(({ n, resolve }) => this.#count < n || resolve());
  }
  reach(n) {
    return new Promise((resolve, reject) => {
      if (this.#count >= n) return resolve();
      const timer = setTimeout(() => reject(new Error(`${this.#count} events came, and not ${n}`)), PATIENCE);
      this.#waiting.push({ n, resolve: () => { clearTimeout(timer); resolve(); } });
    });
  }
}

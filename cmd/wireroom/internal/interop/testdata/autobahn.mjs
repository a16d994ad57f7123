// The round's view of autobahn-js, in Node and in a browser. It hands out
// none of an event's own Details, so class is never told; and it takes progress
// only with promises of its user's that can tell it, as those of "when" could.

/** Returns a connect function over the library. The options are Connection's: which way, and how encoded. */
export function connectAutobahn(autobahn, realm, options) {
  const asError = (e) => { throw { uri: e.error ?? String(e), args: e.args, kwargs: e.kwargs }; };
  return () => new Promise((resolve, reject) => {
    const connection = new autobahn.Connection({ realm, max_retries: 0, use_deferred: deferred, ...options });
    connection.onclose = (reason, details) => {
      reject(new Error(`autobahn closed: ${reason} ${JSON.stringify(details)}`));
      return true; // do not come back
    };
    connection.onopen = (session, details) => resolve({
      details,
      subscribe: (topic, options, handler) => session.subscribe(topic,
        (args, kwargs, event) => handler({ topic: event.topic, kwargs }), options).catch(asError),
      publish: (topic, args, kwargs) => session.publish(topic, args, kwargs, { acknowledge: true })
        .then(({ id }) => id, asError),
      register: (procedure, handler) => session.register(procedure, (args, kwargs, invocation) => {
        try {
          return handler(args, invocation.progress && ((n) => invocation.progress([n])));
        } catch (e) {
          throw new autobahn.Error(e.uri ?? `com.example.error.${e.name}`, e.args ?? [e.message]);
        }
      }).catch(asError),
      call: (procedure, args, onprogress) => {
        const answer = session.call(procedure, args, {}, onprogress && { receive_progress: true });
        answer.onprogress = onprogress;
        return answer.catch(asError);
      },
      leave: () => new Promise((left) => {
        connection.onclose = () => { left(); return true; };
        connection.close();
      }),
    });
    connection.open();
  });
}

function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  d.notify = (progress) => d.promise.onprogress(progress);
  return d;
}

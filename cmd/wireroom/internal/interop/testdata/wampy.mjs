// The round's view of wampy, in Node and in a browser.

/** Returns a connect function over the library. */
export function connectWampy(Wampy, url, realm, options = {}) {
  const asError = (e) => { throw e.errorUri ? { uri: e.errorUri, args: e.argsList, kwargs: e.argsDict } : e; };
  return async () => {
    const wampy = new Wampy(url, { realm, autoReconnect: false, ...options });
    const details = await wampy.connect();
    return {
      details,
      subscribe: (topic, options, handler) => wampy.subscribe(topic,
        ({ details, argsDict }) => handler({ topic: details.topic ?? topic, kwargs: argsDict ?? {}, details }), options).catch(asError),
      publish: (topic, argsList, argsDict) => wampy.publish(topic, { argsList, argsDict })
        .then(({ publicationId }) => publicationId, asError),
      register: (procedure, handler) => wampy.register(procedure, ({ argsList, result_handler: answer }) => {
        try {
          const value = handler(argsList, (n) => answer({ options: { progress: true }, argsList: [n] }));
          return { argsList: [value] };
        } catch (e) {
          throw Object.assign(new Error(e.uri), { error: e.uri, argsList: e.args });
        }
      }).catch(asError),
      call: (procedure, argsList, onprogress) => wampy.call(procedure, { argsList },
        onprogress && { progress_callback: ({ argsList: [n] }) => onprogress(n) })
        .then(({ argsList }) => argsList[0], asError),
      leave: () => wampy.disconnect(),
    };
  };
}

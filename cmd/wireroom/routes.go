package main

import (
	"mime"
	"net/http"
)

// A site is what the HTTP listener serves.
type site struct {
	ws      http.Handler // WAMP over WebSocket
	lp      http.Handler // WAMP by HTTP requests
	stream  http.Handler // events of topics as an event stream
	xmlrpc  http.Handler
	events  http.Handler
	session http.Handler
	console http.Handler
	health  *health

	more map[string]http.Handler // by path, where the configuration wants them
}

// handler returns the mux of the HTTP listener.
func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ws", s.ws)
	mux.Handle("/lp/", s.lp)
	mux.Handle("/RPC2", s.xmlrpc)
	mux.Handle("/events", s.events)
	mux.Handle("GET /events", s.stream)
	mux.Handle("OPTIONS /events", s.stream)
	mux.Handle("/session", s.session)
	for path, h := range s.more {
		mux.Handle(path, h)
	}
	mux.HandleFunc("GET /healthz", s.health.serveLive)
	mux.HandleFunc("GET /readyz", s.health.serveReady)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// Many XML-RPC clients post to the root of the server.
		if r.Method == http.MethodPost && r.URL.Path == "/" && isXML(r) {
			s.xmlrpc.ServeHTTP(w, r)
			return
		}
		s.console.ServeHTTP(w, r)
	})
	return mux
}

func isXML(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (media == "text/xml" || media == "application/xml")
}

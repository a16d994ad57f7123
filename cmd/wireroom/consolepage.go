package main

import (
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/console"
)

// consolePage returns what the console has to know. It shows an ingest key
// only where that is no secret: in the built-in demonstration, the one
// configuration that may have a weak one.
func consolePage(cfg *config.Config) console.Page {
	p := console.Page{Realm: string(cfg.Realms[0].Name)}
	for _, key := range cfg.Keys {
		if key.AllowWeak {
			p.Key = string(key.Secret)
		}
	}
	return p
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/xconnio/xconn-go"
)

// logIn joins with each [method, authid, secret], and says what WELCOME says,
// or why it was refused.
func logIn(ctx context.Context, url, realm, list string) error {
	var logins [][3]string
	if err := json.Unmarshal([]byte(list), &logins); err != nil {
		return fmt.Errorf("LOGINS: %w", err)
	}
	for _, l := range logins {
		s, err := join(ctx, url, realm, l[0], l[1], l[2])
		if err != nil {
			say(object{"reason": reason(err)})
			continue
		}
		d := s.Details()
		say(object{"authid": d.AuthID(), "authrole": d.AuthRole(), "authmethod": l[0], "authprovider": "static"})
		if err := s.Leave(); err != nil {
			return err
		}
	}
	return nil
}

func join(ctx context.Context, url, realm, method, authid, secret string) (*xconn.Session, error) {
	switch method {
	case "ticket":
		return xconn.ConnectTicket(ctx, url, realm, authid, secret)
	case "wampcra":
		return xconn.ConnectCRA(ctx, url, realm, authid, secret)
	case "cryptosign":
		return xconn.ConnectCryptosign(ctx, url, realm, authid, secret)
	}
	return nil, fmt.Errorf("no such method: %s", method)
}

var uri = regexp.MustCompile(`wamp\.error\.\w+`)

// reason finds the URI in an error, of which the library makes a text.
func reason(err error) string {
	if found := uri.FindString(err.Error()); found != "" {
		return found
	}
	return err.Error()
}

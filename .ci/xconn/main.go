// Command xconn is a client program of the interoperability tests that uses
// github.com/xconnio/xconn-go. It is a module of its own so that nothing of it
// is among what the gateway needs.
//
//	xconn round URL REALM SERIALIZER NAME   goes the round of round.mjs
//	xconn auth URL REALM LOGINS             logs in as auth.mjs does
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"
)

// patience is for everything.
const patience = 40 * time.Second

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 5 && args[0] == "round":
		err = round(ctx, args[1], args[2], args[3], args[4])
	case len(args) == 4 && args[0] == "auth":
		err = logIn(ctx, args[1], args[2], args[3])
	default:
		err = errors.New("expected round URL REALM SERIALIZER NAME, or auth URL REALM LOGINS")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "xconn:", err)
		os.Exit(1)
	}
}

type object = map[string]any

var out sync.Mutex

// say prints a line of JSON.
func say(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // of numbers and texts only
	}
	out.Lock()
	defer out.Unlock()
	fmt.Println(string(text))
}

// emit says a step and what goes with it.
func emit(step string, rest object) {
	line := object{"step": step}
	maps.Copy(line, rest)
	say(line)
}

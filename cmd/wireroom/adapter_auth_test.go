package main

import (
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router"
)

// The authorizer converts actions of the router by their values.
func TestActionsAgree(t *testing.T) {
	for of, is := range map[router.Action]auth.Action{
		router.ActionSubscribe: auth.Subscribe,
		router.ActionPublish:   auth.Publish,
		router.ActionCall:      auth.Call,
		router.ActionRegister:  auth.Register,
	} {
		if auth.Action(of) != is || of.String() != is.String() {
			t.Errorf("the router's %s is %s for auth", of, is)
		}
	}
}

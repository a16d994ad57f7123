package auth_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

func ExamplePolicy_Authorize() {
	policy, err := auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {
		"member": {Subscribe: []auth.Pattern{"order.*"}, Publish: []auth.Pattern{"chat.*"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy.Authorize("realm1", "member", auth.Publish, "chat.lobby", wamp.Exact))
	fmt.Println(policy.Authorize("realm1", "member", auth.Publish, "order.created", wamp.Exact))
	fmt.Println(policy.Authorize("realm1", "member", auth.Subscribe, "order.", wamp.Prefix))
	fmt.Println(policy.Authorize("realm1", "member", auth.Subscribe, "order", wamp.Prefix)) // orders.secret, too
	// Output:
	// true
	// false
	// true
	// false
}

func ExampleMintJWT() {
	const secret auth.Secret = "an example of at least thirty-two bytes"
	token, err := auth.MintJWT("HS256", secret, auth.Claims{
		Subject: "ada", Roles: []string{"member"}, Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := auth.DefaultJWTConfig()
	cfg.Secret = secret
	verifier, err := auth.NewVerifier(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	who, err := verifier.Verify(context.Background(), token)
	fmt.Println(who.User, who.Roles, err)
	fmt.Println(token) // secrets do not print
	// Output:
	// ada [member] <nil>
	// [redacted]
}

func ExampleKeys_Lookup() {
	keys, err := auth.NewKeys(auth.KeysConfig{
		{Name: "shop", Secret: "M6mzXhU1Xh0hVvWwYw9pXqXm", Classes: []auth.Pattern{"order.*"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := keys.Lookup("M6mzXhU1Xh0hVvWwYw9pXqXm")
	fmt.Println(key.Name(), key.MayPost("order.created"), key.MayPost("user.deleted"))
	fmt.Println(keys.Lookup("a guess") == nil)
	// Output:
	// shop true false
	// true
}

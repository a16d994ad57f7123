package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/router/wamp"
)

func newTokenJWT() *cobra.Command {
	var (
		output    outputFlag
		file      string
		algorithm string
		keyFile   string
		roles     []string
		realm     string
		ttl       = durationFlag(time.Hour)
	)
	cmd := &cobra.Command{
		Use:   "jwt USER",
		Short: "Make a JWT that the configured gateway accepts",
		Long: `Make a JWT that the configured gateway accepts: with the issuer, audience,
role claim and realm claim of its auth.jwt, signed with its secret, or with the private key in
--key-file for RS256, ES256 and EdDSA.`,
		Example: `  wireroom token jwt ada --role member --ttl 8h
  WIREROOM_TICKET=$(wireroom token jwt ada --role member) wireroom subscribe order.created`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, argv []string) error {
			cfg, problems := config.Load(file)
			if len(problems) > 0 {
				return configError(cmd, outputText, file, problems, nil)
			}
			if cfg.JWT == nil {
				return &exitError{
					code: exitConfig, err: fmt.Errorf("%s: auth.jwt: expected a mapping, found nothing: the gateway accepts no JWT", file),
					hint: `use "wireroom token session", or add auth.jwt`,
				}
			}
			if algorithm == "" {
				algorithm = cfg.JWT.Algorithms[0]
			}
			if !slices.Contains(cfg.JWT.Algorithms, algorithm) {
				return usageErrorf("--algorithm: expected one of auth.jwt.algorithms %v, found %q", cfg.JWT.Algorithms, algorithm)
			}
			key := cfg.JWT.Secret
			if algorithm != "HS256" {
				if keyFile == "" {
					return usageErrorf("--key-file: %s needs the private key", algorithm)
				}
				pem, err := os.ReadFile(keyFile)
				if err != nil {
					return fmt.Errorf("read the private key: %w", err)
				}
				key = auth.Secret(pem)
			}
			of, err := realmOfJWT(cfg, realm)
			if err != nil {
				return err
			}
			token, err := auth.MintJWT(algorithm, key, auth.Claims{
				Subject:    argv[0],
				Roles:      roles,
				RoleClaim:  cfg.JWT.RoleClaim,
				Realm:      of,
				RealmClaim: cfg.JWT.RealmClaim,
				Issuer:     cfg.JWT.Issuer,
				Audience:   cfg.JWT.Audience,
				Expires:    time.Now().Add(time.Duration(ttl)),
			})
			if err != nil {
				return fmt.Errorf("make the JWT: %w", err)
			}
			return printToken(cmd, output, string(token), argv[0], roles)
		},
	}
	output.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&file, "config", config.DefaultFile, "configuration `file`")
	flags.StringVar(&algorithm, "algorithm", "", "HS256, RS256, ES256 or EdDSA; the first configured one if not given")
	flags.StringVar(&keyFile, "key-file", "", "`file` with the private key in PEM")
	flags.StringSliceVar(&roles, "role", nil, "`role` of the user; more than once, or a,b")
	flags.StringVar(&realm, "realm", "", "`realm` in which the token counts, where auth.jwt.realm_claim asks for one; the first configured one if not given")
	flags.Var(&ttl, "ttl", "how long the token is good for")
	return cmd
}

// realmOfJWT returns the realm that a JWT must name to count in the realm of
// that name, or if name is empty, in the first; "" if JWTs name none.
func realmOfJWT(cfg *config.Config, name string) (wamp.URI, error) {
	realm := &cfg.Realms[0]
	if name != "" {
		realm = cfg.Realm(wamp.URI(name))
	}
	switch {
	case realm == nil:
		return "", usageErrorf("--realm: expected one of the realms %q, found %q", realmNames(cfg), name)
	case cfg.JWT.RealmClaim != "":
		return realm.Name, nil
	case name != "":
		return "", usageErrorf("--realm: expected none, as there is no auth.jwt.realm_claim and a JWT counts in every realm, found %q", name)
	}
	return "", nil
}

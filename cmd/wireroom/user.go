package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/auth"
)

// The methods that `wireroom user` makes credentials for.
const (
	credentialCRA    = "cra"
	credentialSCRAM  = "scram"
	credentialTicket = "ticket"
)

func newUser() *cobra.Command {
	var (
		roles, methods, keys []string
		kdf                  string
		iterations, memory   int
	)
	cmd := &cobra.Command{
		Use:   "user NAME",
		Short: "Make an entry for a user, from a password or a key",
		Long: `Make an entry for a user, as auth.users of the configuration has it.

For --method cra and scram the password is asked for, or read from the first
line of standard input. The entry does not have it: for scram something that can
only be compared with it, for cra a key that is as good as the password at this
gateway, and must be kept secret like one. For --method ticket a ticket is drawn
at random and shown once, on standard error.`,
		Example: `  wireroom user ada --role member >> users.yaml
  wireroom user robot --role member --method ticket >> users.yaml
  wireroom user probe --role member --key 545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, argv []string) error {
			u := auth.UserConfig{Name: argv[0], Roles: roles, Cryptosign: keys}
			if len(methods) == 0 && len(keys) == 0 {
				methods = []string{credentialCRA}
			}
			for _, m := range methods {
				if m != credentialCRA && m != credentialSCRAM && m != credentialTicket {
					return usageErrorf("--method: expected cra, scram or ticket, found %q", m)
				}
			}
			maker := credentials{
				cmd: cmd, kdf: kdf,
				iterations: changed(cmd, "iterations", iterations), memory: changed(cmd, "memory", memory),
			}
			if err := maker.make(&u, methods); err != nil {
				return err
			}
			var errs []error
			auth.UsersConfig{u}.Validate(func(field string, err error) { errs = append(errs, fmt.Errorf("%s: %w", field, err)) })
			if len(errs) > 0 {
				return &exitError{code: exitUsage, err: errors.Join(errs...)}
			}
			if _, err := cmd.OutOrStdout().Write(formatUser(&u)); err != nil {
				return err
			}
			if maker.ticket != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "ticket of %s, which is kept nowhere: %s\n", u.Name, string(maker.ticket))
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&roles, "role", nil, "`role` of the user; more than once, or a,b")
	flags.StringSliceVar(&methods, "method", nil, "cra, scram or ticket; more than once, or a,b; cra if neither this nor --key is given")
	flags.StringSliceVar(&keys, "key", nil, "public `key` for cryptosign, in hex; more than once, or a,b")
	flags.StringVar(&kdf, "kdf", auth.KDFArgon2id, "for scram: argon2id13 or pbkdf2")
	flags.IntVar(&iterations, "iterations", 0, "what a login costs the client (default: 3 for argon2id13, 600000 for pbkdf2, 10000 for cra)")
	flags.IntVar(&memory, "memory", 0, "`KiB` of memory that argon2id13 takes (default 65536)")
	return cmd
}

// changed returns a flag's value if it was given, or nil.
func changed(cmd *cobra.Command, name string, v int) *int {
	if !cmd.Flags().Changed(name) {
		return nil
	}
	return &v
}

// credentials makes the credentials of one user.
type credentials struct {
	cmd                *cobra.Command
	kdf                string
	iterations, memory *int // nil: the defaults
	ticket             auth.Secret
}

func (c *credentials) make(u *auth.UserConfig, methods []string) error {
	var password auth.Secret
	if slices.Contains(methods, credentialCRA) || slices.Contains(methods, credentialSCRAM) {
		var err error
		if password, err = readPassword(c.cmd, u.Name); err != nil {
			return err
		}
	}
	for _, m := range methods {
		var err error
		switch m {
		case credentialCRA:
			u.CRA, err = auth.NewCRA(password, orDefault(c.iterations, 10_000))
		case credentialSCRAM:
			iterations, memory := 3, 64<<10
			if c.kdf != auth.KDFArgon2id {
				iterations, memory = 600_000, 0
			}
			u.SCRAM, err = auth.NewSCRAM(password, c.kdf, orDefault(c.iterations, iterations), orDefault(c.memory, memory))
		case credentialTicket:
			c.ticket, u.TicketSHA256 = auth.NewTicket()
		}
		if err != nil {
			return &exitError{code: exitUsage, err: fmt.Errorf("--method %s: %w", m, err)}
		}
	}
	return nil
}

func orDefault(v *int, def int) int {
	if v == nil {
		return def
	}
	return *v
}

// formatUser writes the entry. Texts are in quotes, so that no name means
// something else in YAML.
func formatUser(u *auth.UserConfig) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n", quoted(u.Name))
	if len(u.Roles) > 0 {
		fmt.Fprintf(&b, "  roles: %s\n", quotedList(u.Roles))
	}
	if u.TicketSHA256 != "" {
		fmt.Fprintf(&b, "  ticket_sha256: %s\n", quoted(u.TicketSHA256))
	}
	if c := u.CRA; c != nil {
		fmt.Fprintf(&b, "  cra: {secret: %s, salt: %s, iterations: %d, keylen: %d}\n",
			quoted(string(c.Secret)), quoted(c.Salt), c.Iterations, c.KeyLen)
	}
	if s := u.SCRAM; s != nil {
		fmt.Fprintf(&b, "  scram:\n    kdf: %s\n    salt: %s\n    iterations: %d\n", s.KDF, quoted(s.Salt), s.Iterations)
		if s.Memory > 0 {
			fmt.Fprintf(&b, "    memory: %d\n", s.Memory)
		}
		fmt.Fprintf(&b, "    stored_key: %s\n    server_key: %s\n", quoted(string(s.StoredKey)), quoted(string(s.ServerKey)))
	}
	if len(u.Cryptosign) > 0 {
		fmt.Fprintf(&b, "  cryptosign: %s\n", quotedList(u.Cryptosign))
	}
	return []byte(b.String())
}

// quoted writes a text as JSON does, which YAML reads the same.
func quoted(s string) string {
	b, _ := json.Marshal(s) // a string never fails
	return string(b)
}

func quotedList(list []string) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = quoted(s)
	}
	return "[" + strings.Join(all, ", ") + "]"
}

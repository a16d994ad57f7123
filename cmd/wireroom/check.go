package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func newCheck() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say what is wrong with a configuration file",
		Long: `Say what is wrong with a configuration file: every problem, one a line, as
file:line:column: path: what is wrong, what is allowed, what was found. Of a file
that is right it says what is in it, and which events of which classes the members
of a role see, where that is not all.

A certificate that clients refuse, as it has expired, is a problem; one that expires
soon, or that only some clients refuse, is a warning.

FILE is wireroom.yaml if not given. The exit code is 3 if there is a problem.`,
		Example: `  wireroom check
  wireroom check /etc/wireroom/wireroom.yaml -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, argv []string) error {
			file := config.DefaultFile
			if len(argv) > 0 {
				file = argv[0]
			}
			cfg, problems := config.Load(file)
			var warnings config.Problems
			if len(problems) == 0 {
				problems, warnings = cfg.Certificates(time.Now())
			}
			if output == outputText {
				for _, p := range warnings {
					p.Text = "warning: " + p.Text
					fmt.Fprintln(cmd.ErrOrStderr(), p)
				}
			}
			if len(problems) > 0 {
				return configError(cmd, output, file, problems, warnings)
			}
			w := cmd.OutOrStdout()
			rows := checkedRows(cfg)
			if output == outputJSON {
				return printJSON(w, checkResult{File: file, OK: true, Problems: config.Problems{}, Warnings: warnings, Rows: rows})
			}
			_, err := fmt.Fprintf(w, "%s: ok: %s\n%s", file, summary(cfg), rowsText(cfg, rows))
			return err
		},
	}
	output.addTo(cmd)
	return cmd
}

// summary says what a configuration has.
func summary(cfg *config.Config) string {
	roles := 0
	for i := range cfg.Realms {
		roles += len(cfg.Realms[i].Roles)
	}
	text := fmt.Sprintf("%s, %s, %s", count(countClasses(cfg), "class", "classes"),
		count(roles, "role", "roles"), count(len(cfg.Keys), "ingest key", "ingest keys"))
	if n := len(cfg.Realms); n > 1 {
		text = fmt.Sprintf("%d realms with %s", n, text)
	}
	return text
}

// A checkResult is what check answers in JSON.
type checkResult struct {
	File     string          `json:"file"`
	OK       bool            `json:"ok"`
	Problems config.Problems `json:"problems"`
	Warnings config.Problems `json:"warnings,omitempty"`
	Rows     []checkedRow    `json:"rows,omitempty"`
}

// A checkedRow says which events the members of a role see.
type checkedRow struct {
	Realm   string   `json:"realm"`
	Role    string   `json:"role"`
	Pattern string   `json:"pattern"`
	Classes []string `json:"classes"`
	Where   string   `json:"where"`
}

// checkedRows returns which events members of roles see that do not see all.
func checkedRows(cfg *config.Config) (list []checkedRow) {
	for i := range cfg.Realms {
		realm := &cfg.Realms[i]
		for _, role := range slices.Sorted(maps.Keys(realm.Rows)) {
			for _, row := range realm.Rows[role] {
				list = append(list, checkedRow{
					Realm: string(realm.Name), Role: role, Pattern: string(row.Pattern), Classes: row.Classes, Where: row.Query.String(),
				})
			}
		}
	}
	return list
}

// rowsText is rows for people, a line each.
func rowsText(cfg *config.Config, rows []checkedRow) string {
	var b strings.Builder
	for _, row := range rows {
		of := ""
		if len(cfg.Realms) > 1 {
			of = " of " + row.Realm
		}
		fmt.Fprintf(&b, "role %s%s sees of %s: %s\n", row.Role, of, strings.Join(row.Classes, ", "), row.Where)
	}
	return b.String()
}

// configError prints what is wrong with a file, in JSON also what may be, and
// returns the error that sums it up.
func configError(cmd *cobra.Command, output outputFlag, file string, problems, warnings config.Problems) error {
	if output == outputJSON {
		if err := printJSON(cmd.OutOrStdout(), checkResult{File: file, Problems: problems, Warnings: warnings}); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(cmd.ErrOrStderr(), problems.Error())
	}
	return &exitError{code: exitConfig, err: fmt.Errorf("%s: %s", file, count(len(problems), "problem", "problems"))}
}

// count returns "1 class" or "2 classes".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// build is what the binary knows of its own making, without opening anything.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a tree with changes that are in no commit
	Date     string `json:"date,omitempty"`     // of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
	DuckDB   string `json:"duckdb,omitempty"`
	NATS     string `json:"natsServer,omitempty"`
	Badger   string `json:"badger,omitempty"`
}

type versionOpts struct{ Output output }

func newVersion(g *globals) *cobra.Command {
	var o versionOpts
	cmd := &cobra.Command{
		Use: "version [flags]", Short: "Show the version of meshctl and of what it carries",
		Example: "  meshctl version -o json",
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			return runVersion(g, o)
		},
	}
	o.Output.bind(cmd)
	return cmd
}

func runVersion(g *globals, o versionOpts) error {
	b := readBuild()
	return g.write(o.Output.format, b, func() ([]string, [][]string) {
		var rows [][]string
		for _, row := range [][]string{
			{"meshctl", b.Version}, {"commit", b.Commit}, {"date", b.Date}, {"go", b.Go}, {"platform", b.Platform},
			{"duckdb", b.DuckDB}, {"nats-server", b.NATS}, {"badger", b.Badger},
		} {
			if row[1] != "" {
				rows = append(rows, row)
			}
		}
		return []string{"PART", "VERSION"}, rows
	})
}

// readBuild reads what the Go linker wrote into the binary. The versions of what is
// linked are those of its modules, so they can never be out of date.
func readBuild() build {
	b := build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/duckdb/duckdb-go/v2":
			b.DuckDB = duckDBVersion(dep.Version)
		case "github.com/nats-io/nats-server/v2":
			b.NATS = dep.Version
		case "github.com/dgraph-io/badger/v4":
			b.Badger = dep.Version
		}
	}
	return b
}

// duckDBVersion reads DuckDB's version out of its driver's: v2.10505.0 drives v1.5.5.
func duckDBVersion(driver string) string {
	parts := strings.Split(driver, ".")
	if len(parts) < 2 {
		return ""
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 10000 {
		return ""
	}
	return fmt.Sprintf("v%d.%d.%d", n/10000, n/100%100, n%100)
}

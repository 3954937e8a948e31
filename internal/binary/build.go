package binary

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// Build is what a meshctl executable knows of its own making.
type Build struct {
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

// Running is the making of the executable that runs.
func Running() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	}
	b := buildOf(info)
	b.Go, b.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	return b
}

// buildOf reads what the Go linker wrote into a binary. The versions of what is linked
// are those of its modules, so they can never be out of date.
func buildOf(info *debug.BuildInfo) Build {
	b := Build{Version: "devel", Go: info.GoVersion}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	b.Commit, b.Date, b.Modified = set["vcs.revision"], set["vcs.time"], set["vcs.modified"] == "true"
	b.Platform = set["GOOS"] + "/" + set["GOARCH"]
	for _, dep := range info.Deps {
		switch dep.Path {
		case duckDBDriver:
			b.DuckDB = DuckDBVersion(dep.Version)
		case "github.com/nats-io/nats-server/v2":
			b.NATS = dep.Version
		case "github.com/dgraph-io/badger/v4":
			b.Badger = dep.Version
		}
	}
	return b
}

// duckDBDriver is the module whose version says which DuckDB is linked.
const duckDBDriver = "github.com/duckdb/duckdb-go/v2"

// DuckDBVersion reads DuckDB's version out of its driver's: v2.10505.0 drives v1.5.5.
// It is empty where the driver's says nothing of it.
func DuckDBVersion(driver string) string {
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

// Package internal_test holds up the house: what docs/architecture.md says of floors
// and owners is true of the imports.
package internal_test

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/meshctl/meshctl"

// What the owner table calls a dependency, and the import paths that begin so.
var dependencies = map[string]string{
	"cobra":       "github.com/spf13/cobra",
	"nats-server": "github.com/nats-io/nats-server",
	"nats.go":     "github.com/nats-io/nats.go",
	"jsm.go":      "github.com/nats-io/jsm.go",
	"jwt":         "github.com/nats-io/jwt",
	"nkeys":       "github.com/nats-io/nkeys",
	"Badger":      "github.com/dgraph-io/badger",
	"duckdb-go":   "github.com/duckdb/duckdb-go",
	"minio-go":    "github.com/minio/minio-go",
	"client-go":   "k8s.io",
	"bubbletea":   "charm.land/bubbletea",
	"bubbles":     "charm.land/bubbles",
	"lipgloss":    "charm.land/lipgloss",
	"chromedp":    "github.com/chromedp",

	"go-containerregistry": "github.com/google/go-containerregistry",
}

// house is what docs/architecture.md says, by a package's path below the module.
type house struct {
	floor map[string]int
	owner map[string][]string // of an import path's beginning, or of a name such as os.Args
}

var (
	floorRow = regexp.MustCompile("^\\| (?:(\\d+)[^|]*)?\\| `([a-z/]+)` \\|")
	ownerRow = regexp.MustCompile("^\\| ([^|]+) \\| ((?:`[a-z/]+`(?:, )?)+) \\|$")
)

// readHouse reads the two tables.
func readHouse(t *testing.T, file string) house {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := house{floor: map[string]int{}, owner: map[string][]string{}}
	floor, table := -1, ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "| Floor "):
			table = "floors"
		case strings.HasPrefix(line, "| dependency "):
			table = "owners"
		case !strings.HasPrefix(line, "|"):
			table = ""
		case strings.HasPrefix(line, "| ---"):
		case table == "floors":
			m := floorRow.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("%s: cannot read the row %q", file, line)
			}
			if m[1] != "" {
				floor, _ = strconv.Atoi(m[1]) // digits by the pattern
			}
			h.floor[packagePath(m[2])] = floor
		case table == "owners":
			h.own(t, line)
		}
	}
	if len(h.floor) < 10 || len(h.owner) < len(dependencies) {
		t.Fatalf("%s: found %d packages and %d owners; the tables are elsewhere or look otherwise", file, len(h.floor), len(h.owner))
	}
	return h
}

// own reads a row of the owner table.
func (h house) own(t *testing.T, line string) {
	t.Helper()
	m := ownerRow.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("cannot read the row %q", line)
	}
	var owners []string
	for owner := range strings.SplitSeq(m[2], ", ") {
		owners = append(owners, packagePath(strings.Trim(owner, "`")))
	}
	for what := range strings.SplitSeq(m[1], ", ") {
		if strings.HasPrefix(what, "`os.") {
			h.owner[strings.Trim(what, "`")] = owners
		} else if dependencies[what] == "" {
			t.Errorf("this test does not know the import path of %q", what)
		} else {
			h.owner[dependencies[what]] = owners
		}
	}
}

// packagePath is a package of the table below the module.
func packagePath(name string) string {
	if name == "templates" || strings.HasPrefix(name, "cmd/") {
		return name
	}
	return "internal/" + name
}

// sourceFiles calls visit with every Go file, its package's path and its syntax.
func sourceFiles(t *testing.T, root string, visit func(pkg, name string, file *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(path.Dir(filepath.ToSlash(rel)), filepath.ToSlash(rel), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFloors(t *testing.T) {
	h := readHouse(t, filepath.Join("..", "docs", "architecture.md"))
	seen := map[string]bool{}
	sourceFiles(t, "..", func(pkg, name string, file *ast.File) {
		if pkg == "internal" { // this test
			return
		}
		seen[pkg] = true
		for _, problem := range h.check(pkg, name, file) {
			t.Error(problem)
		}
	})
	if len(seen) == 0 {
		t.Error("no Go file found")
	}
}

// check is what a file does against the house's rules.
func (h house) check(pkg, name string, file *ast.File) (problems []string) {
	floor, ok := h.floor[pkg]
	if !ok {
		return []string{name + ": package " + pkg + " is missing from the table of floors in docs/architecture.md"}
	}
	test := strings.HasSuffix(name, "_test.go")
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return []string{name + ": " + err.Error()}
		}
		if below, ok := strings.CutPrefix(imported, module+"/"); ok {
			other, ok := h.floor[below]
			ownTest := test && below == pkg // an external test imports what it tests
			support := test && strings.HasSuffix(below, "test")
			if !ok {
				problems = append(problems, name+": imports "+below+", which is missing from the table of floors")
			} else if other >= floor && !ownTest && !support {
				problems = append(problems, name+": "+pkg+" (floor "+strconv.Itoa(floor)+") imports "+below+" (floor "+strconv.Itoa(other)+")")
			}
		}
		for dependency, owners := range h.owner {
			if (imported == dependency || strings.HasPrefix(imported, dependency+"/")) && !slices.Contains(owners, pkg) {
				problems = append(problems, name+": imports "+imported+", which belongs to "+strings.Join(owners, " and "))
			}
		}
	}
	if !test { // a test may read a variable that steers it
		problems = append(problems, h.checkNames(pkg, name, file)...)
	}
	return problems
}

// checkNames finds the uses of owned names, such as os.Args.
func (h house) checkNames(pkg, name string, file *ast.File) (problems []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok {
			used := x.Name + "." + sel.Sel.Name
			if owners, owned := h.owner[used]; owned && !slices.Contains(owners, pkg) {
				problems = append(problems, name+": uses "+used+", which belongs to "+strings.Join(owners, " and "))
			}
		}
		return true
	})
	return problems
}

// The guard itself must be able to fail.
func TestFloorsCatch(t *testing.T) {
	h := house{
		floor: map[string]int{"internal/record": 0, "internal/fault": 0, "internal/kv": 4, "internal/storetest": 4},
		owner: map[string][]string{"github.com/dgraph-io/badger": {"internal/kv"}, "os.Args": {"internal/host"}},
	}
	for _, c := range []struct {
		name, pkg, file, source string
		problems                int
	}{
		{"lower floor", "internal/kv", "a.go", `import "` + module + `/internal/record"`, 0},
		{"own floor", "internal/fault", "a.go", `import "` + module + `/internal/record"`, 1},
		{"higher floor", "internal/record", "a.go", `import "` + module + `/internal/kv"`, 1},
		{"higher floor in a test", "internal/record", "a_test.go", `import "` + module + `/internal/kv"`, 1},
		{"test support in a test", "internal/kv", "a_test.go", `import "` + module + `/internal/storetest"`, 0},
		{"test support elsewhere", "internal/kv", "a.go", `import "` + module + `/internal/storetest"`, 1},
		{"itself in a test", "internal/kv", "a_test.go", `import "` + module + `/internal/kv"`, 0},
		{"no such package", "internal/kv", "a.go", `import "` + module + `/internal/nowhere"`, 1},
		{"unknown package", "internal/new", "a.go", ``, 1},
		{"owned dependency", "internal/kv", "a.go", `import "github.com/dgraph-io/badger/v4"`, 0},
		{"another's dependency", "internal/record", "a.go", `import "github.com/dgraph-io/badger/v4"`, 1},
		{"another's dependency in a test", "internal/record", "a_test.go", `import "github.com/dgraph-io/badger/v4"`, 1},
		{"another's dependency's package", "internal/record", "a.go", `import "github.com/dgraph-io/badger/v4/y"`, 1},
		{"a namesake", "internal/record", "a.go", `import "github.com/dgraph-io/badgerlike"`, 0},
		{"owned name", "internal/kv", "a.go", `var x = os.Args`, 1},
		{"free name", "internal/kv", "a.go", `var x = os.Open`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), c.file, "package p\n"+c.source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.check(c.pkg, c.pkg+"/"+c.file, file); len(got) != c.problems {
				t.Errorf("%d problems, want %d: %q", len(got), c.problems, got)
			}
		})
	}
}

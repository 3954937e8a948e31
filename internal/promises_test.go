package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each promise names tests, and each test that docs/promises.md names exists.
func TestPromisesNameTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| \*\*(\d)\. .*$`)
	named := regexp.MustCompile("`([a-z]+)\\.(Test[A-Za-z0-9]+)`")
	rows := row.FindAllStringSubmatch(string(page), -1)
	if len(rows) != 7 {
		t.Errorf("the page has %d promises, want 7", len(rows))
	}
	exist := map[string]map[string]bool{}
	for _, r := range rows {
		tests := named.FindAllStringSubmatch(r[0], -1)
		if len(tests) == 0 {
			t.Errorf("promise %s names no test", r[1])
		}
		for _, m := range tests {
			if exist[m[1]] == nil {
				exist[m[1]] = testsOf(t, m[1])
			}
			if !exist[m[1]][m[2]] {
				t.Errorf("promise %s names %s.%s, which does not exist", r[1], m[1], m[2])
			}
		}
	}
}

// testsOf is the test functions of a package.
func testsOf(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}

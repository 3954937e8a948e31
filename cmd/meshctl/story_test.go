package main

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden parts of the stories")

// TestMain makes the test binary play meshctl too, so that a story runs the real
// program in processes of its own, which it may start in the background and kill.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"meshctl": main})
}

// TestStories runs every script of testdata/script: one story a promise to users.
// Beside testscript's commands a script has those of storyCommands.
func TestStories(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
		Cmds:                storyCommands(),
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, ".home")
			for name, value := range map[string]string{
				"HOME": home, "USER": "ada", "TZ": "UTC", "TERM": "dumb",
				"GOCACHE":         cmp.Or(os.Getenv("GOCACHE"), filepath.Join(cache, "go-build")), // for stories that build Go
				"XDG_CONFIG_HOME": filepath.Join(home, ".config"),
				"XDG_STATE_HOME":  filepath.Join(home, ".local", "state"),
				"XDG_CACHE_HOME":  filepath.Join(home, ".cache"),
				"XDG_DATA_HOME":   filepath.Join(home, ".local", "share"),
			} {
				env.Setenv(name, value)
			}
			return nil
		},
	})
}

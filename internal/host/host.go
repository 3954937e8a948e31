// Package host is the process as the rest of meshctl sees it: arguments,
// environment, streams, terminal and clock. It alone touches os.Args, os.Getenv
// and os.Stdout, so a test runs the whole program in-process with a Host of its own.
package host

import (
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"
)

// Host is one process's surroundings.
type Host struct {
	Args    []string            // without the program's name
	Env     func(string) string // as os.Getenv
	Environ func() []string     // as os.Environ, for programs that are started
	Dir     string              // the working directory, absolute
	In      io.Reader
	Out     io.Writer // data, which scripts may parse
	Err     io.Writer // everything else
	InTTY   bool
	OutTTY  bool
	ErrTTY  bool
	Width   func() int // columns of the terminal behind Out; 80 where there is none
	Now     func() time.Time
	Exe     string // path of the running binary, for starting itself again
}

// Real is the process that runs.
func Real() (*Host, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &Host{
		Args: os.Args[1:], Env: os.Getenv, Environ: os.Environ, Dir: dir, Exe: exe,
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
		Width:  terminalWidth, Now: time.Now,
	}, nil
}

func terminalWidth() int {
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && w > 0 {
		return w
	}
	return 80
}

// Color says whether Out may carry colour: a terminal, and NO_COLOR is unset
// (https://no-color.org) and TERM is not "dumb".
func (h *Host) Color() bool {
	return h.OutTTY && h.Env("NO_COLOR") == "" && h.Env("TERM") != "dumb"
}

// Abs is path, made absolute from the working directory.
func (h *Host) Abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(h.Dir, path)
}

// StateDir is the folder for what this user's meshctl remembers between runs,
// such as which meshes run on this machine: $XDG_STATE_HOME/meshctl, or
// ~/.local/state/meshctl.
func (h *Host) StateDir() string {
	if dir := h.Env("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "meshctl")
	}
	return filepath.Join(h.Env("HOME"), ".local", "state", "meshctl")
}

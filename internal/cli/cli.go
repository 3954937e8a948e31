// Package cli is the front door: flags in, words out. Each command is an options
// struct, a constructor that only binds flags, and a run function that knows nothing
// of cobra; one file a command, listed once in root.go.
//
// Data goes to Out and everything else to Err, so a script can parse what a person
// sees. How a failure ends is decided here alone, by the kind of its fault.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/host"
)

// The exit codes.
const (
	exitNo          = 1   // a clear no: findings, differences, a rejected query, or a defect
	exitUsage       = 2   // wrong usage, descriptor or configuration
	exitUnreachable = 3   // cannot reach, or may not
	exitTimeout     = 4   // gave up waiting
	exitInterrupted = 130 // stopped by SIGINT or SIGTERM before it was done
)

// Main is the whole program: it runs the command that h.Args name and returns the
// process's exit code. It writes to h's streams only and changes nothing in h.
func Main(ctx context.Context, h *host.Host) int {
	own := *h
	g := &globals{Host: &own}
	err := execute(ctx, g, newRoot(g))
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(h.Err, "interrupted")
		return exitInterrupted
	}
	printError(h.Err, err)
	return exitCode(err)
}

// execute runs the command. What goes wrong before a command's own code begins is
// wrong usage, whatever cobra calls it.
func execute(ctx context.Context, g *globals, root *cobra.Command) error {
	started := false
	finish(root, &started)
	root.SetArgs(append([]string{}, g.Args...))
	cmd, err := root.ExecuteContextC(ctx)
	var f *fault.Error
	if err != nil && !started && !errors.As(err, &f) {
		return usageError(cmd, "%w", err)
	}
	return err
}

// usageError is a mistake in how cmd was called.
func usageError(cmd *cobra.Command, format string, args ...any) error {
	return fault.New(fault.Invalid, fmt.Sprintf("run %q for its usage", cmd.CommandPath()+" --help"), format, args...)
}

// usageHint is a mistake in how a command was called, with its own hint.
func usageHint(hint, format string, args ...any) error {
	return fault.New(fault.Invalid, hint, format, args...)
}

func exitCode(err error) int {
	var p probed
	if errors.As(err, &p) {
		return int(p)
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Conflict:
		return exitUsage
	case fault.Unavailable, fault.Denied:
		return exitUnreachable
	case fault.Timeout:
		return exitTimeout
	case fault.Internal, fault.Rejected:
	}
	return exitNo
}

// errReported ends a command with exit code 1 when its findings have been printed already.
var errReported = fault.New(fault.Rejected, "", "problems were reported")

// printError writes "error: what: why", further lines indented, and the hint.
func printError(w io.Writer, err error) {
	var p probed
	if errors.Is(err, errReported) || errors.As(err, &p) {
		return
	}
	text := strings.TrimRight(err.Error(), "\n")
	fmt.Fprintf(w, "error: %s\n", strings.ReplaceAll(text, "\n", "\n  "))
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
}

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// arguments checks that a command is given exactly these, and says by name which one
// is missing. A name in brackets, "[NAME]", may be left out; a last "NAME..." takes any number.
func arguments(names ...string) cobra.PositionalArgs {
	least, most := 0, len(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "[") {
			least++
		}
		if strings.HasSuffix(name, "...") {
			most = -1
		}
	}
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least {
			return fmt.Errorf("%s is missing", strings.TrimSuffix(names[len(args)], "..."))
		}
		if most >= 0 && len(args) > most {
			return fmt.Errorf("unexpected argument %q", args[most])
		}
		return nil
	}
}

// oneOf lets a shell complete the values of a flag.
func oneOf(cmd *cobra.Command, flag string, values ...string) {
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // no such flag, or bound twice: a defect in the command's constructor
	}
}

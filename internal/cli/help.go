package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// helpWidth is the width of every help text, that of the narrowest terminal in use.
// It is not the terminal's own, so that help has the same bytes everywhere.
const helpWidth = 80

func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command",
		Example: "  meshctl help init",
		GroupID: groupOther,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return noSuchCommand(cmd, rest)
			}
			return cmd.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			cmd, _, err := root.Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range cmd.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// writeHelp writes cmd's help. The root's commands come in groups and in the order of
// the list, the daily path first; cobra's own would sort them by name.
func writeHelp(w io.Writer, cmd *cobra.Command, order []*cobra.Command) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n", fold(strings.TrimSpace(text), helpWidth))
	if !cmd.HasAvailableSubCommands() || strings.Contains(cmd.Use, " ") {
		fmt.Fprintf(w, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "  %s COMMAND [flags]\n", cmd.CommandPath())
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	if cmd.HasParent() {
		writeCommands(w, "Commands", cmd.Commands())
	} else {
		writeGroups(w, cmd, order)
	}
	writeFlags(w, "Flags", cmd.LocalNonPersistentFlags().FlagUsagesWrapped(helpWidth))
	writeFlags(w, "Flags of all commands",
		cmd.InheritedFlags().FlagUsagesWrapped(helpWidth)+cmd.PersistentFlags().FlagUsagesWrapped(helpWidth))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nRun \"%s COMMAND --help\" for more about a command.\n", cmd.CommandPath())
	}
}

func writeGroups(w io.Writer, root *cobra.Command, order []*cobra.Command) {
	known := map[*cobra.Command]bool{}
	for _, cmd := range order {
		known[cmd] = true
	}
	all := order
	for _, cmd := range root.Commands() {
		if !known[cmd] { // completion and help, which cobra adds
			all = append(all, cmd)
		}
	}
	for _, group := range groups() {
		var members []*cobra.Command
		for _, cmd := range all {
			if cmd.GroupID == group.ID {
				members = append(members, cmd)
			}
		}
		writeCommands(w, group.Title, members)
	}
}

func writeCommands(w io.Writer, title string, cmds []*cobra.Command) {
	headed := false
	for _, cmd := range cmds {
		if !cmd.IsAvailableCommand() && cmd.Name() != "help" {
			continue
		}
		if !headed {
			fmt.Fprintf(w, "\n%s:\n", title)
			headed = true
		}
		fmt.Fprintf(w, "  %-11s %s\n", cmd.Name(), cmd.Short)
	}
}

func writeFlags(w io.Writer, title, usages string) {
	if usages = strings.TrimRight(usages, "\n"); usages != "" {
		fmt.Fprintf(w, "\n%s:\n%s\n", title, usages)
	}
}

// fold breaks the paragraphs of text at width. Lines that are indented, such as lists
// and examples, stay as they are.
func fold(text string, width int) string {
	var out []string
	line := ""
	flush := func() {
		if line != "" {
			out, line = append(out, line), ""
		}
	}
	for _, raw := range strings.Split(text, "\n") {
		if raw == "" || raw[0] == ' ' || raw[0] == '\t' {
			flush()
			out = append(out, raw)
			continue
		}
		for _, word := range strings.Fields(raw) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
				flush()
			}
			if line != "" {
				line += " "
			}
			line += word
		}
	}
	flush()
	return strings.Join(out, "\n")
}

package shell

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// completeCommand is complete for a line that is a command of the shell.
func (m *model) completeCommand(typed string, at int) (from int, choices []choice) {
	name, arg, hasArg := strings.Cut(typed[:at], " ")
	for _, c := range commands() {
		for _, n := range c.names {
			dot := strings.HasPrefix(n, ".")
			n = strings.TrimPrefix(n, ".")
			switch {
			case hasArg && n == name[1:] && c.complete != nil:
				from = len(name) + 1 + len(arg) - len(strings.TrimLeft(arg, " "))
				return from, beginning(c.complete(m, typed[from:at]), typed[from:at])
			case !hasArg && dot == (typed[0] == '.') && strings.HasPrefix(n, name[1:]):
				choices = append(choices, choice{typed[:1] + n, c.does})
			}
		}
	}
	if hasArg {
		return at, nil
	}
	return 0, choices
}

func tableArg(m *model, _ string) []choice { return tableChoices(m.link.seen()) }

func onOff(*model, string) []choice { return []choice{{"on", ""}, {"off", ""}} }

func formatArg(*model, string) []choice {
	var all []choice
	for _, f := range formats() {
		all = append(all, choice{f, ""})
	}
	return all
}

func variableArg(m *model, _ string) []choice {
	var all []choice
	for _, name := range slices.Sorted(maps.Keys(m.o.Request.Args)) {
		all = append(all, choice{name, ""})
	}
	return all
}

// fileArg are the files and folders that begin so.
func fileArg(m *model, begun string) []choice {
	folder, _ := filepath.Split(begun)
	entries, err := os.ReadDir(m.abs(folder))
	if err != nil { // a folder that is not there has nothing to choose
		return nil
	}
	var all []choice
	for _, e := range entries {
		name := folder + e.Name()
		if e.IsDir() {
			name += string(filepath.Separator)
		}
		if !strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(filepath.Base(begun), ".") {
			all = append(all, choice{name, ""})
		}
	}
	return all
}

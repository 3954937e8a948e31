package shell

import "strings"

// job is one thing to do: a statement, or a command of the shell.
type job struct {
	text    string
	command bool
}

// isCommand says whether a line is a command of the shell: \d or .tables.
func isCommand(line string) bool {
	line = strings.TrimSpace(line)
	if len(line) < 2 || line[0] != '\\' && line[0] != '.' {
		return false
	}
	return line[1] == '?' || line[1] == '!' || 'a' <= line[1] && line[1] <= 'z' || 'A' <= line[1] && line[1] <= 'Z'
}

// jobs cuts a text into what is to be done. A command takes the whole line that it begins,
// between statements. rest is a statement that has not ended.
func jobs(text string) (all []job, rest string) {
	var sql strings.Builder
	for line := range strings.Lines(text) {
		if empty(sql.String()) && isCommand(line) {
			all = append(all, job{strings.TrimSpace(line), true})
			sql.Reset()
			continue
		}
		sql.WriteString(line)
		statements, rest := split(sql.String())
		for _, s := range statements {
			all = append(all, job{text: s})
		}
		if len(statements) > 0 {
			sql.Reset()
			sql.WriteString(rest)
		}
	}
	if empty(sql.String()) {
		return all, ""
	}
	return all, strings.TrimSpace(sql.String())
}

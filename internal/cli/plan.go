package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/render"
)

// How much of a field's value a plan shows to people, and of the lines of a text.
const (
	longestValue = 60
	mostLines    = 12
)

// writePlan shows a plan: to people what it changes, as data all of it.
func writePlan(g *globals, format render.Format, p *deploy.Plan) error {
	if format != render.Table {
		return render.Value(g.Out, format, p, nil)
	}
	var b strings.Builder
	unit, streams := "", 0
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Action == deploy.Unchanged {
			continue
		}
		if s.Unit != unit {
			streams += writeStreams(&b, p, unit)
			unit = s.Unit
			fmt.Fprintf(&b, "%s\n", unit)
		}
		writeStep(&b, s)
	}
	streams += writeStreams(&b, p, unit)
	fmt.Fprintf(&b, "%s, namespace %s: %d to create, %d to change, %d to prune, %d unchanged",
		p.Cluster, p.Namespace, p.Count(deploy.Create), p.Count(deploy.Change), p.Count(deploy.Prune), p.Count(deploy.Unchanged))
	if streams > 0 {
		fmt.Fprintf(&b, "; %s to change", count(streams, "stream"))
	}
	b.WriteByte('\n')
	_, err := g.Out.Write([]byte(b.String()))
	return err
}

// marks are the signs before a step, as in a diff.
var marks = map[deploy.Action]string{deploy.Create: "+", deploy.Change: "~", deploy.Prune: "-"}

func writeStep(b *strings.Builder, s *deploy.Step) {
	fmt.Fprintf(b, "  %s %s\n", marks[s.Action], s)
	for _, f := range s.Fields {
		if lines := changedLines(f.Old, f.New); lines != nil {
			fmt.Fprintf(b, "      %s:\n", f.Field)
			for _, line := range lines {
				fmt.Fprintf(b, "        %s\n", line)
			}
			continue
		}
		fmt.Fprintf(b, "      %s: %s -> %s\n", f.Field, shown(f.Old), shown(f.New))
	}
	for _, c := range s.Conflicts {
		fmt.Fprintf(b, "      conflict: %s is managed by %s\n", c.Field, c.Manager)
	}
	if s.Reason != "" {
		fmt.Fprintf(b, "      %s\n", strings.ReplaceAll(strings.TrimSpace(s.Reason), "\n", "\n      "))
	}
}

// writeStreams shows what changes of a unit's streams, and says how many that are.
func writeStreams(b *strings.Builder, p *deploy.Plan, unit string) (changes int) {
	for i := range p.Streams {
		s := &p.Streams[i]
		if s.Unit != unit {
			continue
		}
		if s.Unknown != "" {
			fmt.Fprintf(b, "  streams: not compared: %s\n", s.Unknown)
		}
		for _, c := range s.Plans {
			if c.Action == mesh.Create {
				fmt.Fprintf(b, "  + create stream %s/%s\n", unit, c.Stream)
				continue
			}
			changes++
			fmt.Fprintf(b, "  ~ change stream %s/%s\n", unit, c.Stream)
			writeStreamFields(b, c, "      ")
			for _, r := range c.Refused {
				word := "refused"
				if s.Insist && r.Danger == mesh.LosesData {
					word = "insisted on"
				}
				fmt.Fprintf(b, "      %s: %s\n", word, r.Text)
			}
		}
	}
	return changes
}

// changedLines are the lines, with a sign before each, in which two texts of several
// lines differ; nil where they are something else.
func changedLines(old, new any) []string {
	before, ok1 := old.(string)
	after, ok2 := new.(string)
	if !ok1 || !ok2 || !strings.Contains(before, "\n") || !strings.Contains(after, "\n") {
		return nil
	}
	lines := []string{}
	for i, line := range strings.Split(string(diff.Diff("old", []byte(before), "new", []byte(after))), "\n") {
		if i > 2 && line != "" && strings.ContainsAny(line[:1], "+-") { // the first three name the texts
			lines = append(lines, strings.TrimRight(line[:1]+" "+cut(render.Text(line[1:])), " "))
		}
	}
	if more := len(lines) - mostLines; more > 1 {
		lines = append(lines[:mostLines], fmt.Sprintf("… and %d more lines", more))
	}
	return lines
}

// shown is a field's value on one line.
func shown(v any) string {
	if v == nil {
		return "(none)"
	}
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		text = string(data)
	}
	return cut(render.Text(text))
}

func cut(text string) string {
	if runes := []rune(text); len(runes) > longestValue {
		return string(runes[:longestValue]) + "…"
	}
	return text
}

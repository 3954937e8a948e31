package product

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshctl/meshctl/internal/fault"
)

// SetGrants is the text of a descriptor with the grants of one of its outputs replaced
// by these: everything else, comments included, stays as a person wrote it. A text in
// which that line cannot be found or placed for sure is refused.
func SetGrants(text []byte, port string, grants []string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fault.New(fault.Invalid, "run meshctl validate", "read the descriptor: %w", err)
	}
	output, err := outputNode(&doc, port)
	if err != nil {
		return nil, err
	}
	e := editor{lines: bytes.SplitAfter(text, []byte("\n"))}
	list := flowList(grants)
	if key, value := pair(output, "grants"); key != nil {
		err = e.replace(key, value, list)
	} else {
		err = e.insert(output, "grants: "+list)
	}
	if err != nil {
		return nil, byHand(port, list, err)
	}
	edited := bytes.Join(e.lines, nil)
	after, problems := Parse(FileName, edited)
	if len(problems) > 0 || after.Output(port) == nil || !slices.Equal(after.Output(port).Grants, grants) {
		return nil, byHand(port, list, fmt.Errorf("the line would not be understood"))
	}
	return edited, nil
}

func byHand(port, list string, err error) error {
	return fault.New(fault.Invalid, "write this line yourself, below output "+port+": grants: "+list, "edit the descriptor: %w", err)
}

// flowList is names as YAML writes them on one line.
func flowList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		if quoted[i] = name; !ValidName(name) || slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, name) {
			quoted[i] = `"` + name + `"`
		}
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// outputNode is the mapping that describes an output.
func outputNode(doc *yaml.Node, port string) (*yaml.Node, error) {
	at := doc
	if at.Kind == yaml.DocumentNode && len(at.Content) > 0 {
		at = at.Content[0]
	}
	for _, name := range []string{"spec", "outputs"} {
		_, value := pair(at, name)
		if value == nil {
			return nil, fault.New(fault.Invalid, "run meshctl validate", "the descriptor has no %s", name)
		}
		at = value
	}
	var names []string
	for _, output := range at.Content {
		_, name := pair(output, "name")
		if name != nil && name.Value == port && output.Kind == yaml.MappingNode {
			return output, nil
		}
		if name != nil {
			names = append(names, name.Value)
		}
	}
	return nil, fault.New(fault.NotFound, didYouMean(port, names), "the descriptor has no output %q", port)
}

// pair is the key of that name in a mapping, and its value.
func pair(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// editor changes a text at places that the YAML parser names.
type editor struct {
	lines [][]byte // with their ends
}

// replace puts a list in the place of the value that is there.
func (e *editor) replace(key, value *yaml.Node, list string) error {
	first := key.Line - 1
	line := e.lines[first]
	colon := bytes.IndexByte(line[key.Column-1:], ':')
	if colon < 0 || value.Kind == yaml.AliasNode || value.Anchor != "" {
		return fmt.Errorf("its value is not written where it stands")
	}
	begin := key.Column - 1 + colon + 1
	if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle != 0 {
		last, end, ok := e.closing(value.Line-1, value.Column-1)
		if !ok {
			return fmt.Errorf("the end of the list is not to be found")
		}
		e.cut(first, begin, last, end, " "+list)
		return nil
	}
	if value.Kind != yaml.SequenceNode || len(value.Content) == 0 {
		return fmt.Errorf("its value is no list")
	}
	for _, item := range value.Content {
		if item.Kind != yaml.ScalarNode || item.Line <= first+1 || strings.ContainsAny(string(e.lines[item.Line-1]), "#") {
			return fmt.Errorf("the list is written in an unusual way, or has comments")
		}
	}
	last := value.Content[len(value.Content)-1].Line - 1
	rest := bytes.TrimRight(line[begin:], " \t\r\n")
	if len(rest) > 0 {
		return fmt.Errorf("there is more on the line of the list")
	}
	e.cut(first, begin, last, len(bytes.TrimRight(e.lines[last], "\r\n")), " "+list)
	return nil
}

// closing is where the bracket that opens at a place is closed.
func (e *editor) closing(line, column int) (atLine, behind int, ok bool) {
	var quote byte
	for ; line < len(e.lines); line, column = line+1, 0 {
		for ; column < len(e.lines[line]); column++ {
			switch c := e.lines[line][column]; {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '#': // a comment would be lost
				return 0, 0, false
			case c == ']':
				return line, column + 1, true
			}
		}
	}
	return 0, 0, false
}

// cut replaces what is between two places.
func (e *editor) cut(line, column, lastLine, behind int, with string) {
	joined := slices.Concat(e.lines[line][:column], []byte(with), e.lines[lastLine][behind:])
	e.lines = slices.Replace(e.lines, line, lastLine+1, joined)
}

// insert adds a field to a mapping, behind its type or name where there is a line of its
// own for each.
func (e *editor) insert(output *yaml.Node, field string) error {
	if output.Style&yaml.FlowStyle != 0 {
		at := output.Content[0]
		line := e.lines[at.Line-1]
		e.lines[at.Line-1] = slices.Concat(line[:at.Column-1], []byte(field+", "), line[at.Column-1:])
		return nil
	}
	for _, name := range []string{"type", "name"} {
		key, value := pair(output, name)
		if key == nil || value.Kind != yaml.ScalarNode || value.Line != key.Line || value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			continue
		}
		line := e.lines[key.Line-1]
		end := "\n"
		if bytes.HasSuffix(e.lines[0], []byte("\r\n")) {
			end = "\r\n"
		}
		if !bytes.HasSuffix(line, []byte("\n")) { // the last line of the file
			e.lines[key.Line-1] = append(slices.Clone(line), end...)
		}
		e.lines = slices.Insert(e.lines, key.Line, []byte(strings.Repeat(" ", key.Column-1)+field+end))
		return nil
	}
	return fmt.Errorf("output %s has no line for its name or type", output.Value)
}

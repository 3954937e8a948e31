package product

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parse makes a Loaded of a file's content.
func parse(file string, data []byte) *Loaded {
	l := &Loaded{File: file, Dir: filepath.Dir(file), marks: marks{}}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if p, ok := unreadable(data); ok {
		p.File = file
		l.Problems = Problems{p}
		return l
	}
	lines := extentOf(data)
	root, problem := parseYAML(data)
	if problem != nil {
		problem.File = file
		l.Problems = Problems{*problem}
	}
	if root != nil {
		l.decode(root)
	}
	for i := range l.Problems {
		p := &l.Problems[i]
		p.Line, p.Column = lines.within(p.Line, p.Column)
	}
	for path, at := range l.marks {
		at.line, at.column = lines.within(at.line, at.column)
		l.marks[path] = at
	}
	l.Problems = l.Problems.limit()
	return l
}

// decode fills l from the document's root and applies defaults and rules.
func (l *Loaded) decode(root *yaml.Node) {
	d := decoder{file: l.File, marks: l.marks, open: map[*yaml.Node]bool{}, excused: map[string]bool{}}
	var p Product
	d.value(nil, root, reflect.ValueOf(&p).Elem(), "", 0)
	l.Problems = append(l.Problems, d.problems...)
	if root.Kind != yaml.MappingNode {
		if len(l.Problems) == 0 {
			d.problem(root, "", "run meshctl init for one to begin with", "the descriptor is empty")
			l.Problems = d.problems
		}
		return
	}
	l.Product = &p
	c := checker{Loaded: l, excused: d.excused}
	c.written()
	p.setDefaults()
	c.rules()
}

// unreadable finds what is no text at all.
func unreadable(data []byte) (Problem, bool) {
	if len(data) > maxSize {
		return Problem{Line: 1, Column: 1, Message: fmt.Sprintf("the file is larger than %d bytes", maxSize)}, true
	}
	line, start := 1, 0
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return Problem{
				Line: line, Column: utf8.RuneCount(data[start:i]) + 1,
				Message: fmt.Sprintf("byte 0x%02x is no text", data[i]), Hint: "save the file as UTF-8 text",
			}, true
		}
		if i += size; r == '\n' {
			line, start = line+1, i
		}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return Problem{Line: 1, Column: 1, Message: "the file is empty", Hint: "run meshctl init for one to begin with"}, true
	}
	return Problem{}, false
}

// parseYAML is the root of the only document in data. There may be both a root and a
// problem, which is then that there are more documents.
func parseYAML(data []byte) (root *yaml.Node, problem *Problem) {
	defer func() { // the parser has panicked on hostile input before
		if r := recover(); r != nil {
			root, problem = nil, &Problem{Line: 1, Column: 1, Message: fmt.Sprintf("not YAML: %v", r)}
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, &Problem{Line: 1, Column: 1, Message: "the file holds nothing but comments", Hint: "run meshctl init for one to begin with"}
	} else if err != nil {
		return nil, syntax(err, data)
	}
	root = doc.Content[0]
	switch err := dec.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		problem = syntax(err, data)
	default:
		problem = &Problem{
			Line: more.Line, Column: more.Column, Message: "a second document begins here",
			Hint: "keep one product in one file",
		}
	}
	return root, problem
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line \d+: )?((?s:.*))$`)

// syntax makes a problem of the parser's error. The line that the error bears is often
// that of the construct around, so the place is found by trying: it is after the
// longest beginning of the file that is well-formed.
func syntax(err error, data []byte) *Problem {
	p := &Problem{Line: 1, Column: 1, Message: "malformed YAML: " + syntaxError.ReplaceAllString(err.Error(), "$1")}
	lines := bytes.SplitAfter(data, []byte("\n"))
	ends := make([]int, len(lines)+1) // ends[n] is the length of the first n lines
	for i, line := range lines {
		ends[i+1] = ends[i] + len(line)
	}
	if len(data) <= maxTried {
		p.Line = sort.Search(len(lines), func(i int) bool {
			now := wellFormed(data[:ends[i+1]])
			return now != nil && now.Error() == err.Error()
		}) + 1
		for tries := 0; p.Line > 1 && tries < 50 && wellFormed(data[:ends[p.Line-1]]) != nil; tries++ {
			p.Line--
		}
	}
	p.Line = min(p.Line, len(lines))
	text := lines[p.Line-1]
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	p.Column = len(indent) + 1
	if bytes.ContainsRune(indent, '\t') {
		p.Hint = "indent with spaces, not tabs"
	}
	return p
}

// largest file in which the place of a syntax error is searched, for each try parses it
const maxTried = 64 << 10

func wellFormed(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// extent is the width of each line of a text, in characters.
type extent []int

func extentOf(data []byte) extent {
	var e extent
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		e = append(e, utf8.RuneCount(line))
	}
	return e
}

// within moves a place that the YAML parser told into the text: it counts rare
// characters as line breaks, and puts an empty value after the end.
func (e extent) within(line, column int) (int, int) {
	line = min(max(line, 1), len(e))
	return line, min(max(column, 1), e[line-1]+1)
}

package shell

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	lineOf = regexp.MustCompile(`\(line (\d+)\)`)
	// What an error is about stands in quotes; the names of functions and tables do not.
	aboutOf = regexp.MustCompile(`(?:near|column|alias|variable|product|port|schema|name|type|parameter) "([^"\n]+)"|(?:[Ff]unction|[Tt]able|[Tt]ype|[Cc]ast)(?: Function)?(?: with name)? ([A-Za-z_]\w*)`)
)

// place finds where in a statement an error is: a line and a column, both from 1, and how
// much of the line is meant. It is not ok where the error does not tell.
func place(sql, problem string) (line, column, length int, ok bool) {
	lines := strings.Split(sql, "\n")
	only := 0
	if m := lineOf.FindStringSubmatch(problem); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n <= len(lines) {
			only = n
		}
	}
	for _, m := range aboutOf.FindAllStringSubmatch(problem, -1) {
		about := m[1] + m[2]
		for _, t := range lex(sql) {
			n := strings.Count(sql[:t.at], "\n") + 1
			at := t.at
			inside := strings.Index(strings.ToLower(t.text), strings.ToLower(about))
			if inside < 0 || only > 0 && n != only || t.kind == comment || t.kind == word && !strings.EqualFold(t.text, about) {
				continue
			}
			at += inside
			begin := strings.LastIndex(sql[:at], "\n") + 1
			return n, len([]rune(sql[begin:at])) + 1, len([]rune(about)), true
		}
		if last := about[strings.LastIndex(about, ".")+1:]; last != about { // a name with its table
			if line, column, length, ok := place(sql, strings.ReplaceAll(problem, about, last)); ok {
				return line, column, length, true
			}
		}
	}
	if only > 0 {
		text := strings.TrimLeft(lines[only-1], " \t")
		return only, len([]rune(lines[only-1])) - len([]rune(text)) + 1, len([]rune(text)), true
	}
	return 0, 0, 0, false
}

// excerpt is the line of a statement that an error is about, with carets under the place.
func (l *look) excerpt(sql, problem string, w int) []string {
	n, column, length, ok := place(sql, problem)
	if !ok {
		return nil
	}
	head := fmt.Sprintf("line %d:%d  ", n, column)
	text := []rune(strings.ReplaceAll(strings.Split(sql, "\n")[n-1], "\t", " "))
	from := 0
	room := max(w-width(head), 10)
	if end := min(column-1+length, len(text)); width(string(text[:end])) > room { // show the end of what is before
		for from = max(0, column-1-room/2); from < column-1 && width(string(text[from:end])) > room; {
			from++
		}
	}
	before := width(string(text[from : column-1]))
	under := max(1, min(width(string(text[column-1:min(column-1+length, len(text))])), room-before))
	return []string{
		l.in(dim, head) + l.in(plain, cut(string(text[from:]), room)),
		strings.Repeat(" ", width(head)+before) + l.in(bad, strings.Repeat("^", under)),
	}
}

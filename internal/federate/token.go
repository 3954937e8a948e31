package federate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a token is.
type kind int

const (
	other     kind = iota // an operator, a bracket, a comma
	space                 // and comments
	word                  // a keyword or a bare name
	quoted                // a quoted name
	text                  // a string
	number                //
	parameter             // $name, $1 or ?
)

// token is a piece of a statement. All tokens together are the statement.
type token struct {
	kind kind
	text string
}

// tokens takes a statement apart as DuckDB's scanner does, as far as it matters here:
// where strings, names and comments begin and end.
func tokens(sql string) []token {
	var list []token
	for sql != "" {
		k, n := next(sql)
		list = append(list, token{k, sql[:n]})
		sql = sql[n:]
	}
	return list
}

// next is the kind and length of the first token.
func next(s string) (kind, int) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case unicode.IsSpace(r):
		return space, while(s, size, unicode.IsSpace)
	case strings.HasPrefix(s, "--"):
		return space, through(s, 2, "\n")
	case strings.HasPrefix(s, "/*"):
		return space, comment(s)
	case r == '\'':
		return text, doubled(s, 1, '\'')
	case r == '"':
		return quoted, doubled(s, 1, '"')
	case (r == 'e' || r == 'E') && strings.HasPrefix(s[1:], "'"):
		return text, escaped(s)
	case (r == 'x' || r == 'X' || r == 'b' || r == 'B') && strings.HasPrefix(s[1:], "'"):
		return text, doubled(s, 2, '\'')
	case r == '$':
		return dollar(s)
	case r == '?':
		return parameter, 1
	case unicode.IsDigit(r):
		return number, while(s, size, func(r rune) bool { return inName(r) || r == '.' })
	case inName(r):
		return word, while(s, size, inName)
	}
	return other, size
}

func inName(r rune) bool {
	return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r) || r >= utf8.RuneSelf && !unicode.IsSpace(r)
}

// while is where the runes from n on cease to be in.
func while(s string, n int, in func(rune) bool) int {
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if !in(r) {
			break
		}
		n += size
	}
	return n
}

// through is where end, at n or later, has ended.
func through(s string, n int, end string) int {
	if at := strings.Index(s[n:], end); at >= 0 {
		return n + at + len(end)
	}
	return len(s)
}

// comment is the length of a comment; comments nest.
func comment(s string) int {
	depth := 0
	for n := 0; n < len(s); n++ {
		switch {
		case strings.HasPrefix(s[n:], "/*"):
			depth, n = depth+1, n+1
		case strings.HasPrefix(s[n:], "*/"):
			if depth, n = depth-1, n+1; depth == 0 {
				return n + 1
			}
		}
	}
	return len(s)
}

// doubled is where a quote that is not doubled closes what began before n.
func doubled(s string, n int, quote byte) int {
	for ; n < len(s); n++ {
		if s[n] != quote {
			continue
		}
		if n+1 == len(s) || s[n+1] != quote {
			return n + 1
		}
		n++
	}
	return len(s)
}

// escaped is the length of a string with backslashes.
func escaped(s string) int {
	for n := 2; n < len(s); n++ {
		switch s[n] {
		case '\\':
			n++
		case '\'':
			if n+1 == len(s) || s[n+1] != '\'' {
				return n + 1
			}
			n++
		}
	}
	return len(s)
}

// dollar is a parameter, or a string between $tag$ and $tag$.
func dollar(s string) (kind, int) {
	n := while(s, 1, func(r rune) bool { return r != '$' && inName(r) })
	if n < len(s) && s[n] == '$' && !(n > 1 && unicode.IsDigit(rune(s[1]))) {
		tag := s[:n+1]
		return text, through(s, len(tag), tag)
	}
	if n > 1 {
		return parameter, n
	}
	return other, 1
}

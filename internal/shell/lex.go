// Package shell is the SQL shell on a terminal.
package shell

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a piece of SQL is.
type kind int

const (
	blank  kind = iota
	word        // a name or a keyword
	quoted      // a name in double quotes
	text        // a string
	number
	comment
	variable // $name
	mark     // anything else, one character
	semicolon
)

// token is a piece of a text; all of them together are the text.
type token struct {
	kind kind
	at   int // byte in the text
	text string
	open bool // it has no end: a quote or a comment that goes on
}

func (t token) end() int { return t.at + len(t.text) }

// lex cuts a text into tokens as DuckDB does. It takes any text.
func lex(sql string) []token {
	var all []token
	for at := 0; at < len(sql); {
		t := next(sql[at:])
		t.at = at
		all = append(all, t)
		at += len(t.text)
	}
	return all
}

// next is the token that s begins with.
func next(s string) token {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case unicode.IsSpace(r):
		return while(s, blank, unicode.IsSpace)
	case r == '\'':
		return until(s, 1, "'", text)
	case (r == 'e' || r == 'E' || r == 'x' || r == 'X') && strings.HasPrefix(s[1:], "'"):
		return escaped(s)
	case r == '"':
		return until(s, 1, `"`, quoted)
	case strings.HasPrefix(s, "--"):
		if end := strings.IndexByte(s, '\n'); end >= 0 {
			return token{kind: comment, text: s[:end]}
		}
		return token{kind: comment, text: s, open: true}
	case strings.HasPrefix(s, "/*"):
		return blockComment(s)
	case r == '$':
		return dollar(s)
	case r == ';':
		return token{kind: semicolon, text: ";"}
	case unicode.IsDigit(r):
		return while(s, number, func(r rune) bool { return unicode.IsDigit(r) || unicode.IsLetter(r) || r == '.' || r == '_' })
	case inWord(r):
		return while(s, word, inWord)
	}
	return token{kind: mark, text: s[:size]}
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

func while(s string, k kind, is func(rune) bool) token {
	if end := strings.IndexFunc(s, func(r rune) bool { return !is(r) }); end >= 0 {
		s = s[:end]
	}
	return token{kind: k, text: s}
}

// until is a token that begins before from and goes to the next mark that is not doubled.
func until(s string, from int, end string, k kind) token {
	for i := from; i < len(s); i++ {
		if !strings.HasPrefix(s[i:], end) {
			continue
		}
		if strings.HasPrefix(s[i+1:], end) {
			i++
			continue
		}
		return token{kind: k, text: s[:i+1]}
	}
	return token{kind: k, text: s, open: true}
}

// escaped is a string such as E'it\'s'.
func escaped(s string) token {
	for i := 2; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'':
			return token{kind: text, text: s[:i+1]}
		}
	}
	return token{kind: text, text: s, open: true}
}

// blockComment is a comment, in which others may stand.
func blockComment(s string) token {
	depth := 0
	for i := 0; i < len(s)-1; i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			if depth--; depth == 0 {
				return token{kind: comment, text: s[:i+2]}
			}
			i++
		}
	}
	return token{kind: comment, text: s, open: true}
}

// dollar is $name, or a string between $tag$ and $tag$.
func dollar(s string) token {
	t := while(s[1:], variable, inWord)
	end := 1 + len(t.text)
	if !strings.HasPrefix(s[end:], "$") || t.text != "" && unicode.IsDigit(rune(t.text[0])) {
		return token{kind: variable, text: s[:end]}
	}
	tag := s[:end+1]
	if close := strings.Index(s[len(tag):], tag); close >= 0 {
		return token{kind: text, text: s[:len(tag)+close+len(tag)]}
	}
	return token{kind: text, text: s, open: true}
}

// split cuts a text into statements, without the semicolons between them. What comes
// after the last semicolon is rest; it is blank where every statement has ended.
func split(sql string) (statements []string, rest string) {
	from := 0
	for _, t := range lex(sql) {
		if t.kind != semicolon {
			continue
		}
		if s := strings.TrimSpace(sql[from:t.at]); !empty(s) {
			statements = append(statements, s)
		}
		from = t.end()
	}
	return statements, strings.TrimSpace(sql[from:])
}

// Statements are the statements of a text, the last one with or without a semicolon.
func Statements(sql string) []string {
	all, rest := split(sql)
	if !empty(rest) {
		all = append(all, rest)
	}
	return all
}

// Used are those of the variables that a statement names, for an owner refuses others.
func Used(sql string, bound map[string]any) map[string]any {
	used := map[string]any{}
	for _, t := range lex(sql) {
		if value, ok := bound[strings.TrimPrefix(t.text, "$")]; ok && t.kind == variable {
			used[t.text[1:]] = value
		}
	}
	return used
}

// empty says whether there is nothing in a text but space and comments.
func empty(sql string) bool {
	for _, t := range lex(sql) {
		if t.kind != blank && t.kind != comment {
			return false
		}
	}
	return true
}

package shell

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// The words of DuckDB's SELECT, one a line and in order. The database itself is not
// asked for them, so that the first prompt waits for nothing.
//
//go:embed words/keywords
var keywordList string

//go:embed words/functions
var functionList string

// Words that are no name without quotes.
//
//go:embed words/reserved
var reservedList string

var (
	keywords  = sync.OnceValue(func() []string { return strings.Fields(keywordList) })
	functions = sync.OnceValue(func() []string { return strings.Fields(functionList) })
	reserved  = sync.OnceValue(func() []string { return strings.Fields(reservedList) })
)

// Keywords are the words of SQL that are highlighted and completed, in order.
func Keywords() []string { return slices.Clone(keywords()) }

// Functions are the functions that are completed, in order.
func Functions() []string { return slices.Clone(functions()) }

// Reserved are the words that want quotes where they are names, in order.
func Reserved() []string { return slices.Clone(reserved()) }

func isKeyword(s string) bool { return among(keywords(), s) }

func among(words []string, s string) bool {
	_, found := slices.BinarySearch(words, strings.ToLower(s))
	return found
}

package product

import (
	"fmt"
	"strings"
)

// synonyms are words of other systems for a logical type.
func synonym(word string) string {
	switch strings.ToLower(word) {
	case "int", "long", "bigint", "int64", "int32", "smallint":
		return TypeInteger
	case "float", "double", "decimal", "numeric", "real":
		return TypeNumber
	case "bool":
		return TypeBoolean
	case "text", "varchar", "uuid", "char":
		return TypeString
	case "datetime", "timestamptz", "instant":
		return TypeTimestamp
	case "struct", "map", "record", "json":
		return TypeObject
	case "list":
		return TypeArray
	}
	return ""
}

// Nearest is the one of names that word was probably meant to be, or "".
func Nearest(word string, names []string) string { return nearest(word, names) }

// nearest is Nearest, for the package.
func nearest(word string, names []string) string {
	best, least := "", len(word)/3+1
	for _, name := range names {
		if strings.EqualFold(name, word) {
			return name
		}
		if abs(len(name)-len(word)) > least {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d < least || d == least && best == "" && d < len(name) {
			best, least = name, d
		}
	}
	return best
}

// didYouMean is the hint that names the nearest of names, else all of them.
func didYouMean(word string, names []string) string {
	if name := nearest(word, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	if len(names) == 0 {
		return ""
	}
	return "use " + orList(names)
}

// orList is "a, b or c".
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// distance is the number of letters to add, drop, change or swap with the next to
// make b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64 // no name is that long; do not spend time on it
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}

func abs(n int) int { return max(n, -n) }

package lint

import "strings"

func Staticcheck(s string) string { return strings.Replace(s, "a", "b", 0) }

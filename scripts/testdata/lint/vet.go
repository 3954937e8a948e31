package lint

import "fmt"

func vet() { fmt.Printf("%d\n", "not a number") }

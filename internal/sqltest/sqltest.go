// Package sqltest makes random tables and random SELECTs over them, for tests that ask
// two engines the same and compare. A seed gives the same tables and statements
// each time.
//
// A statement has one right answer: what SQL leaves open is not asked. Rows are cut
// (LIMIT, row_number, lag) only by an order that no two rows share; floating-point
// columns hold multiples of 1/8 so small that their sums are exact in any order, and
// what is not (a deviation, say) is a column of the answer at most, named in Statement.Rough.
//
// Statements are made from a sequence of choices, in which a smaller number stands for
// something simpler. So a statement that fails is made smaller by making its choices
// smaller, and nothing here needs to know how.
package sqltest

import "math/rand/v2"

// choices is where a statement comes from: random, or given to try once more.
type choices struct {
	rng   *rand.Rand // nil takes given, and 0 after its end
	given []int
	taken []int
}

// below is a number from 0 to n-1; 0 is the simplest.
func (c *choices) below(n int) int {
	v := 0
	switch at := len(c.taken); {
	case c.rng != nil:
		v = c.rng.IntN(n)
	case at < len(c.given):
		v = min(c.given[at], n-1)
	}
	c.taken = append(c.taken, v)
	return v
}

// one says yes once in n times.
func (c *choices) one(n int) bool { return c.below(n) == n-1 }

// among is one of several, the simplest first.
func among[T any](c *choices, of ...T) T { return of[c.below(len(of))] }

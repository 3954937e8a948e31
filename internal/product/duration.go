package product

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration, written as "90s", "10m", "24h", "7d" or several of
// these in a row, such as "1d12h". It is never negative.
type Duration time.Duration

const day = 24 * time.Hour

var errDuration = errors.New(`not a duration such as 90s, 10m, 24h or 7d`)

// ParseDuration reads what Duration is written as.
func ParseDuration(s string) (Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "", s
	}
	var total time.Duration
	if found {
		n, err := strconv.ParseUint(days, 10, 31)
		if err != nil {
			return 0, fmt.Errorf("%q is %w", s, errDuration)
		}
		if n > uint64(math.MaxInt64/day) {
			return 0, fmt.Errorf("%q is longer than 292 years", s)
		}
		total = time.Duration(n) * day
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || strings.ContainsAny(rest[:1], "+-") {
			return 0, fmt.Errorf("%q is %w", s, errDuration)
		}
		if d > math.MaxInt64-total {
			return 0, fmt.Errorf("%q is longer than 292 years", s)
		}
		total += d
	}
	if s == "" {
		return 0, fmt.Errorf("%q is %w", s, errDuration)
	}
	return Duration(total), nil
}

// String is the duration as ParseDuration reads it, whole days from two on as days.
func (d Duration) String() string {
	t := time.Duration(d)
	if t <= 0 {
		return "0s"
	}
	var b strings.Builder
	if t >= 2*day {
		fmt.Fprintf(&b, "%dd", t/day)
		t %= day
	}
	for _, part := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if t >= part.unit {
			fmt.Fprintf(&b, "%d%s", t/part.unit, part.name)
			t %= part.unit
		}
	}
	if t > 0 {
		b.WriteString(t.String())
	}
	return b.String()
}

// MarshalText writes String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err == nil {
		*d = v
	}
	return err
}

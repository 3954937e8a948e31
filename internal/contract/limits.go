package contract

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/meshctl/meshctl/internal/product"
)

// limits are a column's options and enum. A check returns what is wrong with the
// value, or nothing.
type limits struct {
	product.TypeOptions
	pattern *regexp.Regexp
	// The least and greatest value in the column's own representation.
	minInt, maxInt         int64
	minFloat, maxFloat     float64
	minDecimal, maxDecimal decimal128.Num
	// The enum's values in the column's own representation; nil without an enum.
	texts    map[string]bool
	ints     map[int64]bool
	floats   map[float64]bool
	decimals map[decimal128.Num]bool
	list     string // the enum for a reason
}

// newLimits is nil when c does not narrow its type.
func newLimits(f *field, c *product.Column) (*limits, error) {
	o := c.Options
	enum := c.Enum()
	if o == (product.TypeOptions{}) && enum == nil {
		return nil, nil
	}
	number := f.kind == kindInteger || f.kind == kindFloat || f.kind == kindDecimal
	switch {
	case f.kind != kindString && (o.MinLength != nil || o.MaxLength != nil || o.Pattern != ""):
		return nil, fmt.Errorf("minLength, maxLength and pattern are options of a string, not of %s", c.LogicalType)
	case f.kind != kindArray && (o.MinItems != nil || o.MaxItems != nil):
		return nil, fmt.Errorf("minItems and maxItems are options of an array, not of %s", c.LogicalType)
	case !number && (o.Minimum != nil || o.Maximum != nil):
		return nil, fmt.Errorf("minimum and maximum are options of integer and number, not of %s", c.LogicalType)
	case enum != nil && (f.kind == kindObject || f.kind == kindArray):
		return nil, fmt.Errorf("validValues cannot be given for %s", c.LogicalType)
	}
	l := &limits{TypeOptions: o}
	if o.Pattern != "" {
		var err error
		if l.pattern, err = regexp.Compile(o.Pattern); err != nil {
			return nil, fmt.Errorf("pattern: %w", err)
		}
	}
	if err := l.setBounds(f); err != nil {
		return nil, err
	}
	return l, l.setEnum(f, enum)
}

// setBounds turns minimum and maximum into the column's representation, inwards.
func (l *limits) setBounds(f *field) error {
	l.minInt, l.maxInt = math.MinInt64, math.MaxInt64
	l.minFloat, l.maxFloat = math.Inf(-1), math.Inf(1)
	l.minDecimal, l.maxDecimal = decimal128.MaxDecimal128.Negate(), decimal128.MaxDecimal128
	least, most := big.NewInt(math.MinInt64), big.NewInt(math.MaxInt64)
	if f.kind == kindDecimal {
		least, most = l.minDecimal.BigInt(), l.maxDecimal.BigInt()
	}
	if l.Minimum != nil {
		l.minFloat = *l.Minimum
		if bound := inward(*l.Minimum, f.scale, false); bound.Cmp(least) > 0 {
			least = bound
		}
	}
	if l.Maximum != nil {
		l.maxFloat = *l.Maximum
		if bound := inward(*l.Maximum, f.scale, true); bound.Cmp(most) < 0 {
			most = bound
		}
	}
	switch {
	case f.kind == kindFloat && l.minFloat <= l.maxFloat:
	case f.kind == kindFloat || least.Cmp(most) > 0:
		return fmt.Errorf("no value lies between minimum and maximum")
	case f.kind == kindDecimal:
		l.minDecimal, l.maxDecimal = decimal128.FromBigInt(least), decimal128.FromBigInt(most)
	default:
		l.minInt, l.maxInt = least.Int64(), most.Int64()
	}
	return nil
}

// inward is the bound, read as the decimal that a person wrote, times 10^scale and
// rounded down or up.
func inward(bound float64, scale int, down bool) *big.Int {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(bound, 'g', -1, 64))
	if !ok { // NaN and the infinities, which a descriptor cannot hold
		return new(big.Int)
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
	r.Mul(r, new(big.Rat).SetInt(power))
	whole, rest := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int)) // rounds down
	if !down && rest.Sign() != 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole
}

// setEnum reads each value as the column would read it in a record.
func (l *limits) setEnum(f *field, values []any) error {
	if values == nil {
		return nil
	}
	bare := *f
	bare.limits, bare.required = nil, false
	l.texts, l.ints, l.floats, l.decimals = map[string]bool{}, map[int64]bool{}, map[float64]bool{}, map[decimal128.Num]bool{}
	var shown []string
	for _, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("validValues: %w", err)
		}
		d := Decoder{scanner: scanner{b: text}}
		c := newColumn(&bare)
		if v := d.value(c); v != nil {
			return fmt.Errorf("validValues: %w", v)
		}
		switch {
		case c.nulls > 0: // null is what required forbids or allows
			continue
		case f.kind == kindString:
			l.texts[string(c.data)] = true
		case f.kind == kindFloat:
			l.floats[c.floats[0]] = true
		case f.kind == kindDecimal:
			l.decimals[c.decimals[0]] = true
		case f.kind == kindDate:
			l.ints[int64(c.days[0])] = true
		case f.kind == kindBoolean:
			l.ints[int64(c.bits[0]&1)] = true
		default:
			l.ints[c.ints[0]] = true
		}
		if len(shown) < 10 {
			shown = append(shown, string(text))
		}
	}
	if l.list = strings.Join(shown, ", "); len(values) > 10 {
		l.list += ", …"
	}
	return nil
}

func (l *limits) checkText(s []byte) string {
	if l.MinLength != nil || l.MaxLength != nil {
		n := utf8.RuneCount(s)
		if l.MinLength != nil && n < *l.MinLength {
			return shortText(s, *l.MinLength)
		}
		if l.MaxLength != nil && n > *l.MaxLength {
			return fmt.Sprintf("%s is longer than %s", quote(string(s)), counted(*l.MaxLength, "character"))
		}
	}
	if l.pattern != nil && !l.pattern.Match(s) {
		return fmt.Sprintf("%s does not match %s", quote(string(s)), strconv.Quote(l.Pattern))
	}
	if l.texts != nil && !l.texts[string(s)] {
		return quote(string(s)) + " is not one of " + l.list
	}
	return ""
}

func (l *limits) checkInt(v int64, text []byte) string {
	return l.verdict(text, v < l.minInt, v > l.maxInt, l.ints == nil || l.ints[v])
}

func (l *limits) checkFloat(v float64, text []byte) string {
	return l.verdict(text, v < l.minFloat, v > l.maxFloat, l.floats == nil || l.floats[v])
}

func (l *limits) checkDecimal(v decimal128.Num, text []byte) string {
	return l.verdict(text, v.Less(l.minDecimal), v.Greater(l.maxDecimal), l.decimals == nil || l.decimals[v])
}

func (l *limits) verdict(text []byte, below, above, listed bool) string {
	switch {
	case below:
		return fmt.Sprintf("%s is below the minimum %v", excerpt(text), *l.Minimum)
	case above:
		return fmt.Sprintf("%s is above the maximum %v", excerpt(text), *l.Maximum)
	case !listed:
		return excerpt(text) + " is not one of " + l.list
	}
	return ""
}

func (l *limits) checkItems(n int) string {
	if l.MinItems != nil && n < *l.MinItems {
		if n == 0 {
			return "has no items, needs at least " + strconv.Itoa(*l.MinItems)
		}
		return fmt.Sprintf("has %s, needs at least %d", counted(n, "item"), *l.MinItems)
	}
	if l.MaxItems != nil && n > *l.MaxItems {
		return fmt.Sprintf("has %s, may have at most %d", counted(n, "item"), *l.MaxItems)
	}
	return ""
}

// shortText says that s has fewer than least characters.
func shortText(s []byte, least int) string {
	switch {
	case len(s) > 0:
		return fmt.Sprintf("%s is shorter than %s", quote(string(s)), counted(least, "character"))
	case least == 1:
		return "is empty"
	}
	return fmt.Sprintf("is empty, needs at least %d characters", least)
}

// counted is "1 thing" or "n things".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

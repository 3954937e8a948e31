package contract

import (
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// most digits of a decimal.
const maxDigits = 38

// literal reads a number as JSON writes it; nil, and nothing read, if none comes next.
func (s *scanner) literal() []byte {
	b, i := s.b, s.p
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := i
	i = digits(b, i)
	if i == whole || (b[whole] == '0' && i > whole+1) {
		return nil
	}
	if i < len(b) && b[i] == '.' {
		fraction := i + 1
		if i = digits(b, fraction); i == fraction {
			return nil
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		exponent := i
		if i = digits(b, i); i == exponent {
			return nil
		}
	}
	text := b[s.p:i]
	s.p = i
	return text
}

// digits is the index of the first byte from i on that is not a digit.
func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	return i
}

// integer reads an integer; a fraction or an exponent is taken when the value is whole.
func (s *scanner) integer() (v int64, ok bool) {
	b, i := s.b, s.p
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	first := i
	var n int64
	for i < len(b) && b[i]-'0' < 10 {
		n = n*10 + int64(b[i]-'0') // may wrap; then it is too long for the short way out
		i++
	}
	long := i-first > 18
	if i == first || (b[first] == '0' && i > first+1) {
		return 0, false
	}
	if long || (i < len(b) && (b[i] == '.' || b[i]|0x20 == 'e')) {
		return s.wholeDecimal()
	}
	s.p = i
	if negative {
		n = -n
	}
	return n, true
}

// wholeDecimal reads an integer of 19 digits, or one written with fraction or exponent.
func (s *scanner) wholeDecimal() (v int64, ok bool) {
	start := s.p
	text := s.literal()
	if text == nil {
		return 0, false
	}
	n, ok := exact(text, 19, 0)
	if !ok || n.HighBits() != int64(n.LowBits())>>63 {
		s.p = start
		return 0, false
	}
	return int64(n.LowBits()), true
}

// exact is the number in text times 10^scale; ok is false when that is not whole or
// has more digits than precision. text must be a number as JSON writes it.
func exact(text []byte, precision, scale int) (n decimal128.Num, ok bool) {
	var hi, lo uint64
	count, zeros, power := 0, 0, scale // digits taken, zeros not yet taken, and the power of ten they lack
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	point := false
	i := 0
	for ; i < len(text) && text[i]|0x20 != 'e'; i++ {
		c := text[i]
		if c == '.' {
			point = true
			continue
		}
		if point {
			power--
		}
		if c == '0' {
			if count > 0 {
				zeros++
			}
			continue
		}
		if count += zeros + 1; count > maxDigits {
			return n, false
		}
		hi, lo = scaled(hi, lo, zeros+1, uint64(c-'0'))
		zeros = 0
	}
	if count == 0 {
		return n, true
	}
	if i < len(text) {
		power += exponent(text[i+1:])
	}
	power += zeros
	if power < 0 || count+power > precision {
		return n, false
	}
	hi, lo = scaled(hi, lo, power, 0)
	n = decimal128.New(int64(hi), lo)
	if negative {
		n = n.Negate()
	}
	return n, true
}

// scaled is hi:lo times 10^power, plus digit.
func scaled(hi, lo uint64, power int, digit uint64) (uint64, uint64) {
	for ; power > 0; power-- {
		carry, low := bits.Mul64(lo, 10)
		hi, lo = hi*10+carry, low
	}
	lo, carry := bits.Add64(lo, digit, 0)
	return hi + carry, lo
}

// exponent is the integer in text, held within what no number of digits can make up for.
func exponent(text []byte) int {
	negative := text[0] == '-'
	v := 0
	for _, c := range text {
		if c-'0' < 10 {
			v = min(v*10+int(c-'0'), math.MaxInt32)
		}
	}
	if negative {
		return -v
	}
	return v
}

// pow10 are the powers of ten that a double holds exactly.
var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// float reads a number as the double next to it.
func (s *scanner) float() (v float64, ok bool) {
	start := s.p
	text := s.literal()
	if text == nil {
		return 0, false
	}
	if v, ok := shortFloat(text); ok {
		return v, true
	}
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	if err != nil { // beyond the greatest double
		s.p = start
		return 0, false
	}
	return v, true
}

// shortFloat does the common case, at most 15 digits without an exponent: mantissa and
// power of ten are both exact, so their quotient is rounded once and rightly.
func shortFloat(text []byte) (v float64, ok bool) {
	if len(text) > 17 {
		return 0, false
	}
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	var mantissa int64
	count, fraction, point := 0, 0, false
	for _, c := range text {
		switch {
		case c-'0' < 10:
			mantissa = mantissa*10 + int64(c-'0')
			count++
			if point {
				fraction++
			}
		case c == '.':
			point = true
		default:
			return 0, false
		}
	}
	if count > 15 {
		return 0, false
	}
	v = float64(mantissa) / pow10[fraction]
	if negative {
		v = -v
	}
	return v, true
}

package contract

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads the tokens of one JSON value, strictly as RFC 8259 has them.
type scanner struct {
	b   []byte
	p   int    // what was read of b
	buf []byte // a string that had escapes
}

// peek moves to the next byte that is not white space; 0 at the end.
func (s *scanner) peek() byte {
	for s.p < len(s.b) {
		c := s.b[s.p]
		if c > ' ' || (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
			return c
		}
		s.p++
	}
	return 0
}

// word reads w if it comes next, whole.
func (s *scanner) word(w string) bool {
	end := s.p + len(w)
	if end > len(s.b) || string(s.b[s.p:end]) != w {
		return false
	}
	if end < len(s.b) && s.b[end] >= 'a' && s.b[end] <= 'z' {
		return false
	}
	s.p = end
	return true
}

// broken is the violation of what is not JSON.
func (s *scanner) broken(wanted string) *Violation {
	return violate(fmt.Sprintf("not JSON at byte %d: wanted %s, got %s", s.p, wanted, excerpt(s.b[s.p:])))
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, with its high bit, the first byte of x that ends a run of plain
// characters: a quote, a backslash or a control character. Bytes after it may be marked wrongly.
func special(x uint64) uint64 {
	quote := x ^ ones*'"'
	slash := x ^ ones*'\\'
	return (((quote - ones) &^ quote) | ((slash - ones) &^ slash) | ((x - ones*' ') &^ x)) & highs
}

// text reads a string, of which the opening quote comes next. The result is valid
// until the next call.
func (s *scanner) text() ([]byte, *Violation) {
	start := s.p + 1
	i := start
	b := s.b
	var seen uint64 // the high bits of what was passed, and perhaps of a little more
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		seen |= x
		if m := special(x); m != 0 {
			i += bits.TrailingZeros64(m) / 8
			break
		}
		i += 8
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c == '"' {
			s.p = i + 1
			if seen&highs != 0 && !utf8.Valid(b[start:i]) {
				return nil, violate("it is not UTF-8")
			}
			return b[start:i], nil
		}
		if c == '\\' {
			return s.escaped(start, i)
		}
		if c < ' ' {
			s.p = i
			return nil, violate(fmt.Sprintf("not JSON at byte %d: a string holds a control character", i))
		}
		seen |= uint64(c)
	}
	return nil, violate("not JSON: a string does not end")
}

// escaped reads the string that began at start and has its first backslash at i.
func (s *scanner) escaped(start, i int) ([]byte, *Violation) {
	b := s.b
	out := append(s.buf[:0], b[start:i]...)
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			s.p, s.buf = i+1, out
			if !utf8.Valid(out) {
				return nil, violate("it is not UTF-8")
			}
			return out, nil
		case c < ' ':
			s.p = i
			return nil, violate(fmt.Sprintf("not JSON at byte %d: a string holds a control character", i))
		case c != '\\':
			out = append(out, c)
			i++
		case i+1 == len(b):
			i++
		case b[i+1] == 'u':
			r, n := unicodeEscape(b[i:])
			if n == 0 {
				return nil, violate(fmt.Sprintf("not JSON at byte %d: a bad \\u escape", i))
			}
			out = utf8.AppendRune(out, r)
			i += n
		default:
			plain := escapes[b[i+1]]
			if plain == 0 {
				return nil, violate(fmt.Sprintf("not JSON at byte %d: a bad escape", i))
			}
			out = append(out, plain)
			i += 2
		}
	}
	return nil, violate("not JSON: a string does not end")
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unicodeEscape reads \uXXXX, or two of them that make one character; n is 0 when it
// is malformed or half of a pair.
func unicodeEscape(b []byte) (r rune, n int) {
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, ok := hex4(b[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

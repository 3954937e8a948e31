package cell

import "unicode/utf8"

const hex = "0123456789abcdef"

// AppendString appends s as a JSON string. Characters that could drive a terminal or
// turn the direction of its text are escaped as well as those that JSON demands, so
// that JSON can be shown as it is. Exact is false when s is not UTF-8; U+FFFD then
// stands for what is not.
func AppendString(dst []byte, s string) (out []byte, exact bool) {
	exact = true
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if 0x20 <= c && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = appendEscape(append(dst, s[start:i]...), c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
			exact = false
		case Hostile(r):
			dst = append(append(dst, s[start:i]...), '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			i += size
			continue
		}
		i += size
		start = i
	}
	return append(append(dst, s[start:]...), '"'), exact
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// Hostile says whether a terminal may act on r instead of showing it: a control
// character, a line or paragraph separator, or a change of the text's direction.
func Hostile(r rune) bool {
	return r < 0x20 || 0x7f <= r && r <= 0x9f ||
		r == 0x061c || r == 0x200e || r == 0x200f ||
		0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}

// Harden appends JSON text with every hostile character that stands in a string
// escaped. White space between values is kept.
func Harden(dst, json []byte) []byte {
	start := 0
	for i := 0; i < len(json); {
		r, size := rune(json[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(json[i:])
		}
		if r >= 0x7f && Hostile(r) {
			dst = append(dst, json[start:i]...)
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			start = i + size
		}
		i += size
	}
	return append(dst, json[start:]...)
}

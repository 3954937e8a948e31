package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Key is a record's key: its parts, one for each key column, in an encoding whose
// byte order is the order of the parts (integers by value, times by instant, strings
// by byte). The encoding is the FoundationDB tuple layer's idea, cut down to five types.
type Key []byte

// Date is a calendar day, counted from 1970-01-01.
type Date int32

// The tag bytes that start a part. They sort false < true < integer < date < timestamp < string.
const (
	tagFalse  = 0x10
	tagTrue   = 0x11
	tagInt    = 0x15
	tagDate   = 0x18
	tagTime   = 0x19
	tagString = 0x20
)

// ErrKey is wrapped by every error about a malformed key.
var ErrKey = errors.New("malformed key")

// NewKey makes a key of its parts: string, int64, bool, Date or time.Time (kept to
// the microsecond). Any other type is a programming error and panics.
func NewKey(parts ...any) Key {
	var k Key
	for _, p := range parts {
		k = k.Append(p)
	}
	return k
}

// Append adds one part, of the types that NewKey takes.
func (k Key) Append(part any) Key {
	switch v := part.(type) {
	case string:
		return k.AppendString(v)
	case int64:
		return k.AppendInt(v)
	case bool:
		return k.AppendBool(v)
	case Date:
		return k.AppendDate(v)
	case time.Time:
		return k.AppendMicros(v.UnixMicro())
	}
	panic(fmt.Sprintf("record: a key part cannot be a %T", part))
}

// AppendInt adds an integer part without boxing it.
func (k Key) AppendInt(v int64) Key {
	return binary.BigEndian.AppendUint64(append(k, tagInt), uint64(v)^(1<<63))
}

// AppendBool adds a boolean part.
func (k Key) AppendBool(v bool) Key {
	if v {
		return append(k, tagTrue)
	}
	return append(k, tagFalse)
}

// AppendDate adds a date part.
func (k Key) AppendDate(v Date) Key {
	return binary.BigEndian.AppendUint32(append(k, tagDate), uint32(v)^(1<<31))
}

// AppendMicros adds a timestamp part, given in microseconds since 1970-01-01 UTC.
func (k Key) AppendMicros(v int64) Key {
	return binary.BigEndian.AppendUint64(append(k, tagTime), uint64(v)^(1<<63))
}

// AppendString adds a string part without boxing it.
func (k Key) AppendString(s string) Key {
	k = append(k, tagString)
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			return append(append(k, s...), 0)
		}
		k = append(append(k, s[:i]...), 0, 0xff)
		s = s[i+1:]
	}
}

// Parts are the parts that the key was made of.
func (k Key) Parts() ([]any, error) {
	var parts []any
	for b := []byte(k); len(b) > 0; {
		tag := b[0]
		b = b[1:]
		width := map[byte]int{tagInt: 8, tagTime: 8, tagDate: 4}[tag]
		if len(b) < width {
			return nil, fmt.Errorf("%w: it ends inside a part", ErrKey)
		}
		switch tag {
		case tagFalse, tagTrue:
			parts = append(parts, tag == tagTrue)
		case tagInt:
			parts = append(parts, int64(binary.BigEndian.Uint64(b)^(1<<63)))
		case tagTime:
			parts = append(parts, time.UnixMicro(int64(binary.BigEndian.Uint64(b)^(1<<63))).UTC())
		case tagDate:
			parts = append(parts, Date(int32(binary.BigEndian.Uint32(b)^(1<<31))))
		case tagString:
			s, n, err := cutString(b)
			if err != nil {
				return nil, err
			}
			parts, width = append(parts, s), n
		default:
			return nil, fmt.Errorf("%w: unknown tag 0x%02x", ErrKey, tag)
		}
		b = b[width:]
	}
	return parts, nil
}

func cutString(b []byte) (s string, n int, err error) {
	var out []byte
	for {
		i := bytes.IndexByte(b[n:], 0)
		if i < 0 {
			return "", 0, fmt.Errorf("%w: a string does not end", ErrKey)
		}
		out = append(out, b[n:n+i]...)
		n += i + 1
		if n == len(b) || b[n] != 0xff {
			return string(out), n, nil
		}
		out = append(out, 0)
		n++
	}
}

// Texts are the parts as text: strings as they are, integers in decimal, dates as
// 2006-01-02, timestamps as RFC 3339 in UTC, booleans as true and false.
func (k Key) Texts() ([]string, error) {
	parts, err := k.Parts()
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		switch v := p.(type) {
		case string:
			texts[i] = v
		case int64:
			texts[i] = strconv.FormatInt(v, 10)
		case bool:
			texts[i] = strconv.FormatBool(v)
		case Date:
			texts[i] = v.String()
		case time.Time:
			texts[i] = v.Format(time.RFC3339Nano)
		}
	}
	return texts, nil
}

// EachText gives each of the texts that Texts returns to each, which must not keep it.
// It makes no garbage: text is cut from k or written to buf.
func (k Key) EachText(buf []byte, each func(text []byte)) error {
	for b := []byte(k); len(b) > 0; {
		tag, rest := b[0], b[1:]
		width := 0
		switch tag {
		case tagInt, tagTime:
			width = 8
		case tagDate:
			width = 4
		}
		if len(rest) < width {
			return fmt.Errorf("%w: it ends inside a part", ErrKey)
		}
		text := buf[:0]
		switch tag {
		case tagFalse, tagTrue:
			text = strconv.AppendBool(text, tag == tagTrue)
		case tagInt:
			text = strconv.AppendInt(text, int64(binary.BigEndian.Uint64(rest)^(1<<63)), 10)
		case tagTime:
			text = time.UnixMicro(int64(binary.BigEndian.Uint64(rest)^(1<<63))).UTC().AppendFormat(text, time.RFC3339Nano)
		case tagDate:
			text = Date(int32(binary.BigEndian.Uint32(rest)^(1<<31))).Time().AppendFormat(text, time.DateOnly)
		case tagString:
			end := bytes.IndexByte(rest, 0)
			if end >= 0 && (end+1 == len(rest) || rest[end+1] != 0xff) { // no zero byte in it
				text, width = rest[:end], end+1
				break
			}
			s, n, err := cutString(rest)
			if err != nil {
				return err
			}
			text, width = append(text, s...), n
		default:
			return fmt.Errorf("%w: unknown tag 0x%02x", ErrKey, tag)
		}
		each(text)
		b = rest[width:]
	}
	return nil
}

// String is the key as a person writes it: its texts joined by "/". A "/" or "%"
// inside a part of a key with several parts is written %2F and %25; a key of one part
// is written as it is.
func (k Key) String() string {
	texts, err := k.Texts()
	if err != nil {
		return fmt.Sprintf("%x", []byte(k))
	}
	return JoinTexts(texts)
}

var (
	escapePart   = strings.NewReplacer("%", "%25", "/", "%2F")
	unescapePart = strings.NewReplacer("%25", "%", "%2F", "/", "%2f", "/")
)

// JoinTexts is what Key.String does with the texts of a key.
func JoinTexts(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	escaped := make([]string, len(texts))
	for i, t := range texts {
		escaped[i] = escapePart.Replace(t)
	}
	return strings.Join(escaped, "/")
}

// SplitTexts is the inverse of JoinTexts for a key of n parts. It may return fewer
// texts than n (a prefix); more is an error.
func SplitTexts(s string, n int) ([]string, error) {
	if n == 1 {
		return []string{s}, nil
	}
	texts := strings.Split(s, "/")
	if len(texts) > n {
		return nil, fmt.Errorf("%w: %q has %d parts, the port's key has %d", ErrKey, s, len(texts), n)
	}
	for i, t := range texts {
		texts[i] = unescapePart.Replace(t)
	}
	return texts, nil
}

// String is the day as 2006-01-02.
func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// Time is midnight UTC of the day.
func (d Date) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// ParseDate reads a day written as 2006-01-02.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, err
	}
	days := t.Unix() / 86400
	if t.Unix()%86400 < 0 {
		days--
	}
	if days < math.MinInt32 || days > math.MaxInt32 {
		return 0, fmt.Errorf("date %s is out of range", s)
	}
	return Date(days), nil
}

// PrefixEnd is the smallest key greater than every key that starts with k;
// nil when there is none.
func (k Key) PrefixEnd() Key {
	end := bytes.Clone(k)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

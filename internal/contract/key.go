package contract

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// arenaSize is how many bytes of keys are made at once.
const arenaSize = 32 << 10

// key is the key of row, cut from the arena so that a key costs no allocation.
func (d *Decoder) key(row int) record.Key {
	if len(d.contract.key) == 0 {
		return nil
	}
	if cap(d.arena)-len(d.arena) < 64 {
		d.arena = make([]byte, 0, arenaSize)
	}
	free := cap(d.arena) - len(d.arena)
	k := record.Key(d.arena[len(d.arena):])
	for _, i := range d.contract.key {
		k = d.root.fields[i].appendTo(k, row)
	}
	if len(k) <= free { // otherwise it grew out of the arena
		d.arena = d.arena[:len(d.arena)+len(k)]
	}
	return slices.Clip(k)
}

// appendTo adds the value at row to k.
func (c *column) appendTo(k record.Key, row int) record.Key {
	switch c.kind {
	case kindString:
		s := c.data[c.offsets[row]:c.offsets[row+1]]
		return k.AppendString(unsafe.String(unsafe.SliceData(s), len(s)))
	case kindInteger:
		return k.AppendInt(c.ints[row])
	case kindBoolean:
		return k.AppendBool(c.bits[row/8]&(1<<(row%8)) != 0)
	case kindDate:
		return k.AppendDate(record.Date(c.days[row]))
	default:
		return k.AppendMicros(c.ints[row])
	}
}

// addPart adds a part of a key, of the type that the column has.
func (c *column) addPart(part any) {
	switch v := part.(type) {
	case string:
		c.addText([]byte(v))
	case int64:
		c.addInt(v)
	case bool:
		c.addBool(v)
	case record.Date:
		c.addDay(int32(v))
	case time.Time:
		c.addInt(v.UnixMicro())
	}
}

// partOf is the index of the key's part that column i holds, or -1.
func (c *Contract) partOf(i int) int { return slices.Index(c.key, i) }

// fits says whether parts are a whole key of this contract.
func (c *Contract) fits(parts []any) error {
	if len(parts) != len(c.key) {
		return fmt.Errorf("%w: it has %d parts, the key of port %s has %d", record.ErrKey, len(parts), c.port, len(c.key))
	}
	for i, part := range parts {
		var ok bool
		switch f := c.root.fields[c.key[i]]; f.kind {
		case kindString:
			var s string
			s, ok = part.(string)
			ok = ok && utf8.ValidString(s)
		case kindInteger:
			_, ok = part.(int64)
		case kindBoolean:
			_, ok = part.(bool)
		case kindDate:
			_, ok = part.(record.Date)
		case kindTimestamp:
			_, ok = part.(time.Time)
		}
		if !ok {
			return fmt.Errorf("%w: part %d does not have the type of column %s", record.ErrKey, i+1, c.names[i])
		}
	}
	return nil
}

// KeyFromTexts makes the whole key of its texts, each read as its column's type.
func (c *Contract) KeyFromTexts(texts []string) (record.Key, error) {
	if len(texts) != len(c.key) || len(c.key) == 0 {
		return nil, c.badKey(strings.Join(texts, "/"), fmt.Sprintf("it has %d parts", len(texts)))
	}
	k := record.Key{}
	for i, text := range texts {
		var reason string
		if k, reason = c.appendText(k, i, text); reason != "" {
			return nil, c.badKey(record.JoinTexts(texts), reason)
		}
	}
	return k, nil
}

// ParseKey reads a whole key as a person writes it: the texts joined by "/".
func (c *Contract) ParseKey(text string) (record.Key, error) {
	texts, err := c.split(text)
	if err != nil {
		return nil, err
	}
	return c.KeyFromTexts(texts)
}

// ParsePrefix reads the beginning of keys, for a scan: fewer parts than a key has,
// the last of which, if a string, may be the beginning of one ("AT" begins "ATL" and
// "ATL/2024-01-01"). An empty text begins every key.
func (c *Contract) ParsePrefix(text string) (record.Key, error) {
	texts, err := c.split(text)
	if err != nil {
		return nil, err
	}
	k := record.Key{}
	for i, part := range texts {
		last := i == len(texts)-1
		isText := c.root.fields[c.key[i]].kind == kindString
		if last && part == "" && !isText {
			break // "ATL/" is all of ATL
		}
		var reason string
		if k, reason = c.appendText(k, i, part); reason != "" {
			return nil, c.badKey(text, reason)
		}
		if last && isText {
			k = k[:len(k)-1] // leaves the string open
		}
	}
	return k, nil
}

func (c *Contract) split(text string) ([]string, error) {
	if !c.Keyed() {
		return nil, c.badKey(text, "the port's records have no key")
	}
	texts, err := record.SplitTexts(text, len(c.key))
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Hint: c.keyHint(), Err: err}
	}
	return texts, nil
}

// appendText adds text as part i of a key; the reason is empty if it could.
func (c *Contract) appendText(k record.Key, i int, text string) (out record.Key, reason string) {
	ok := false
	wanted := ""
	switch f := c.root.fields[c.key[i]]; f.kind {
	case kindString:
		wanted = "text in UTF-8"
		if ok = utf8.ValidString(text); ok {
			k = k.AppendString(text)
		}
	case kindInteger:
		wanted = "an integer"
		v, err := strconv.ParseInt(text, 10, 64)
		if ok = err == nil; ok {
			k = k.AppendInt(v)
		}
	case kindBoolean:
		wanted = "true or false"
		ok = text == "true" || text == "false"
		k = k.AppendBool(text == "true")
	case kindDate:
		wanted = momentForm[kindDate]
		var days int32
		days, ok = parseDate([]byte(text))
		k = k.AppendDate(record.Date(days))
	case kindTimestamp:
		wanted = momentForm[kindTimestamp]
		var micros int64
		micros, ok = parseTimestamp([]byte(text))
		k = k.AppendMicros(micros)
	}
	if !ok {
		return nil, fmt.Sprintf("%s wanted %s, got %s", c.names[i], wanted, quote(text))
	}
	return k, ""
}

func (c *Contract) badKey(key, reason string) error {
	return fault.New(fault.Invalid, c.keyHint(), "%w %s of port %s: %s", record.ErrKey, quote(key), c.port, reason)
}

func (c *Contract) keyHint() string {
	if !c.Keyed() {
		return "query the port instead"
	}
	return "write the key as " + strings.Join(c.names, "/")
}

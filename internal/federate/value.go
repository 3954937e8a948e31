package federate

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// value is a constant as a plan writes it.
type value struct {
	Type logicalType     `json:"type"`
	Null bool            `json:"is_null"`
	Raw  json.RawMessage `json:"value"`
}

// sql is the constant as SQL, with its type.
func (v *value) sql() (text string, ok bool) {
	kind, ok := v.Type.sql()
	if !ok {
		return "", false
	}
	if v.Null {
		return "CAST(NULL AS " + kind + ")", true
	}
	text, ok = v.text()
	return "CAST(" + literal(text) + " AS " + kind + ")", ok
}

// text is what becomes the constant when it is cast to its type.
func (v *value) text() (string, bool) {
	switch v.Type.ID {
	case "VARCHAR":
		var s string
		err := json.Unmarshal(v.Raw, &s)
		return s, err == nil && utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\uFFFD")
	case "DATE":
		days, err := strconv.ParseInt(string(v.Raw), 10, 32)
		return moment(days*86400, 0, "2006-01-02", err)
	case "TIMESTAMP", "TIMESTAMP WITH TIME ZONE":
		micros, err := strconv.ParseInt(string(v.Raw), 10, 64)
		layout := "2006-01-02 15:04:05.000000"
		if v.Type.ID != "TIMESTAMP" {
			layout += "+00"
		}
		return moment(0, micros, layout, err)
	case "BOOLEAN", "FLOAT", "DOUBLE":
		return string(v.Raw), len(v.Raw) > 0 && !strings.ContainsAny(string(v.Raw), `"{[n'`)
	case "DECIMAL":
		n, ok := v.integer()
		if !ok {
			return "", false
		}
		return decimal(n, v.Type.Info.Scale), true
	}
	n, ok := v.integer()
	if !ok {
		return "", false
	}
	return n.String(), true
}

// integer is a whole number; one of 128 bits is written in two parts.
func (v *value) integer() (*big.Int, bool) {
	if n, ok := new(big.Int).SetString(string(v.Raw), 10); ok {
		return n, true
	}
	var parts struct {
		Upper *int64
		Lower *uint64
	}
	if json.Unmarshal(v.Raw, &parts) != nil || parts.Upper == nil || parts.Lower == nil {
		return nil, false
	}
	n := new(big.Int).Lsh(big.NewInt(*parts.Upper), 64)
	return n.Add(n, new(big.Int).SetUint64(*parts.Lower)), true
}

func decimal(n *big.Int, scale int) string {
	digits := new(big.Int).Abs(n).String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	if scale > 0 {
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if n.Sign() < 0 {
		return "-" + digits
	}
	return digits
}

// moment is a time as text. Years that are written otherwise in SQL are left out, and so
// is infinity, which is the last of them.
func moment(seconds, micros int64, layout string, err error) (string, bool) {
	t := time.Unix(seconds, 0).UTC()
	if micros != 0 {
		t = time.UnixMicro(micros).UTC()
	}
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return "", false
	}
	return t.Format(layout), true
}

// Literal is a statement's argument as SQL that means what binding it does.
func Literal(arg any) (string, error) {
	switch a := arg.(type) {
	case nil:
		return "NULL", nil
	case string:
		return literal(a), nil // not a VARCHAR: bound, too, it is taken for what it is compared with
	case bool:
		return strconv.FormatBool(a), nil
	case int:
		return fmt.Sprintf("CAST(%d AS BIGINT)", a), nil
	case int64:
		return fmt.Sprintf("CAST(%d AS BIGINT)", a), nil
	case float64:
		if whole := int64(a); float64(whole) == a && whole > -1<<53 && whole < 1<<53 {
			return fmt.Sprintf("CAST(%d AS BIGINT)", whole), nil
		}
		return "CAST('" + strconv.FormatFloat(a, 'g', -1, 64) + "' AS DOUBLE)", nil
	}
	return "", fmt.Errorf("a %T cannot be written as SQL", arg)
}

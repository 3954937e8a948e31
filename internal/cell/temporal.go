package cell

import (
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// appendTemporal appends a date, time, timestamp or interval; ok is false for any other type.
func appendTemporal(dst []byte, arr arrow.Array, i int) (out []byte, ok bool) {
	switch a := arr.(type) {
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		return appendTimestamp(dst, int64(a.Value(i)), int64(time.Second/t.Unit.Multiplier()), t.TimeZone != ""), true
	case *array.Date32:
		return appendDate(dst, int64(a.Value(i))), true
	case *array.Date64:
		return appendDate(dst, floorDiv(int64(a.Value(i)), 86_400_000)), true
	case *array.Time32:
		unit := a.DataType().(*arrow.Time32Type).Unit
		return appendTime(dst, int64(a.Value(i)), int64(time.Second/unit.Multiplier())), true
	case *array.Time64:
		unit := a.DataType().(*arrow.Time64Type).Unit
		return appendTime(dst, int64(a.Value(i)), int64(time.Second/unit.Multiplier())), true
	case *array.Duration:
		unit := a.DataType().(*arrow.DurationType).Unit
		return appendSpan(dst, 0, 0, int64(a.Value(i)), int64(time.Second/unit.Multiplier())), true
	case *array.MonthInterval:
		return appendSpan(dst, int64(a.Value(i)), 0, 0, 1), true
	case *array.DayTimeInterval:
		v := a.Value(i)
		return appendSpan(dst, 0, int64(v.Days), int64(v.Milliseconds), 1000), true
	case *array.MonthDayNanoInterval:
		v := a.Value(i)
		return appendSpan(dst, int64(v.Months), int64(v.Days), v.Nanoseconds, 1_000_000_000), true
	}
	return dst, false
}

// The ends of int64 and int32 are what DuckDB calls infinity.
func appendTimestamp(dst []byte, v, perSecond int64, zoned bool) []byte {
	switch v {
	case math.MaxInt64:
		return append(dst, "infinity"...)
	case -math.MaxInt64:
		return append(dst, "-infinity"...)
	}
	seconds := floorDiv(v, perSecond)
	days := floorDiv(seconds, 86400)
	dst = appendDay(dst, days)
	dst = append(dst, 'T')
	dst = appendClock(dst, seconds-days*86400, v-seconds*perSecond, perSecond)
	if zoned {
		dst = append(dst, 'Z')
	}
	return dst
}

func appendDate(dst []byte, days int64) []byte {
	switch days {
	case math.MaxInt32:
		return append(dst, "infinity"...)
	case -math.MaxInt32:
		return append(dst, "-infinity"...)
	}
	return appendDay(dst, days)
}

// appendDay writes the proleptic Gregorian day, years beyond 0000 to 9999 with their sign and all digits.
func appendDay(dst []byte, days int64) []byte {
	const era = 146097 // days in 400 years
	z := days + 719468 // days since 0000-03-01
	eras := floorDiv(z, era)
	doe := z - eras*era
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day := doy - (153*mp+2)/5 + 1
	month := mp + 3
	year := yoe + eras*400
	if month > 12 {
		month -= 12
		year++
	}
	if year < 0 {
		dst = append(dst, '-')
		year = -year
	}
	dst = appendPadded(dst, uint64(year), 4)
	return append(dst, '-', byte('0'+month/10), byte('0'+month%10), '-', byte('0'+day/10), byte('0'+day%10))
}

func appendTime(dst []byte, v, perSecond int64) []byte {
	seconds := v / perSecond
	return appendClock(dst, seconds, v-seconds*perSecond, perSecond)
}

func appendClock(dst []byte, seconds, fraction, perSecond int64) []byte {
	dst = appendPadded(dst, uint64(seconds/3600), 2)
	m, s := seconds/60%60, seconds%60
	dst = append(dst, ':', byte('0'+m/10), byte('0'+m%10), ':', byte('0'+s/10), byte('0'+s%10))
	return appendFraction(dst, fraction, perSecond)
}

// appendFraction appends ".5" for 500 of 1000, nothing for 0.
func appendFraction(dst []byte, fraction, perSecond int64) []byte {
	if fraction == 0 {
		return dst
	}
	width := 0
	for p := perSecond; p > 1; p /= 10 {
		width++
	}
	dst = appendPadded(append(dst, '.'), uint64(fraction), width)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendSpan appends an ISO 8601 duration. Months, days and clock keep their own signs.
func appendSpan(dst []byte, months, days, clock, perSecond int64) []byte {
	if months == 0 && days == 0 && clock == 0 {
		return append(dst, "PT0S"...)
	}
	part := func(v int64, unit byte) {
		if v != 0 {
			dst = append(strconv.AppendInt(dst, v, 10), unit)
		}
	}
	dst = append(dst, 'P')
	part(months/12, 'Y')
	part(months%12, 'M')
	part(days, 'D')
	if clock == 0 {
		return dst
	}
	dst = append(dst, 'T')
	seconds, fraction := clock/perSecond, clock%perSecond
	part(seconds/3600, 'H')
	part(seconds/60%60, 'M')
	if seconds %= 60; seconds == 0 && fraction == 0 {
		return dst
	}
	if clock < 0 {
		dst = append(dst, '-')
		seconds, fraction = -seconds, -fraction
	}
	dst = strconv.AppendInt(dst, seconds, 10)
	return append(appendFraction(dst, fraction, perSecond), 'S')
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

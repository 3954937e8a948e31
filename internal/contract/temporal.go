package contract

const (
	daySeconds = 86400
	second     = 1_000_000 // in microseconds
)

// The bounds of a timestamp: the years that RFC 3339 can write.
var (
	firstInstant = daysOf(0, 1, 1) * daySeconds * second
	lastInstant  = daysOf(10000, 1, 1)*daySeconds*second - 1
)

// parseDate reads 2006-01-02 as days since 1970-01-01.
func parseDate(s []byte) (days int32, ok bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	century, ok1 := two(s)
	year, ok2 := two(s[2:])
	month, ok3 := two(s[5:])
	day, ok4 := two(s[8:])
	year += century * 100
	if !(ok1 && ok2 && ok3 && ok4) || month < 1 || month > 12 || day < 1 || day > monthDays(year, month) {
		return 0, false
	}
	return int32(daysOf(year, month, day)), true
}

// parseTimestamp reads an instant in RFC 3339, a space standing for the T if need be,
// as microseconds since 1970-01-01. Without a zone it is in UTC. What is finer than a
// microsecond is not taken.
func parseTimestamp(s []byte) (micros int64, ok bool) {
	if len(s) < 19 || (s[10]|0x20 != 't' && s[10] != ' ') {
		return 0, false
	}
	days, ok := parseDate(s[:10])
	if !ok {
		return 0, false
	}
	clock, rest, ok := parseClock(s[11:])
	if !ok {
		return 0, false
	}
	offset, ok := parseZone(rest)
	if !ok {
		return 0, false
	}
	micros = int64(days)*daySeconds*second + clock - offset
	return micros, micros >= firstInstant && micros <= lastInstant
}

// parseTime reads 15:04:05, with a fraction if need be, as microseconds since midnight.
func parseTime(s []byte) (micros int64, ok bool) {
	micros, rest, ok := parseClock(s)
	return micros, ok && len(rest) == 0
}

func parseClock(s []byte) (micros int64, rest []byte, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return 0, nil, false
	}
	h, ok1 := two(s)
	m, ok2 := two(s[3:])
	sec, ok3 := two(s[6:])
	if !(ok1 && ok2 && ok3) || h > 23 || m > 59 || sec > 59 {
		return 0, nil, false
	}
	micros = int64(h*3600+m*60+sec) * second
	if len(s) == 8 || s[8] != '.' {
		return micros, s[8:], true
	}
	end := digits(s, 9)
	if end == 9 || end > 18 {
		return 0, nil, false
	}
	unit := int64(second)
	for _, c := range s[9:end] {
		if unit /= 10; unit == 0 && c != '0' {
			return 0, nil, false
		}
		micros += int64(c-'0') * unit
	}
	return micros, s[end:], true
}

// parseZone reads Z, +01:00 or nothing as microseconds east of UTC.
func parseZone(s []byte) (offset int64, ok bool) {
	if len(s) == 0 || (len(s) == 1 && s[0]|0x20 == 'z') {
		return 0, true
	}
	if len(s) != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':' {
		return 0, false
	}
	h, ok1 := two(s[1:])
	m, ok2 := two(s[4:])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, false
	}
	offset = int64(h*3600+m*60) * second
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func two(s []byte) (v int, ok bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a < 10 && b < 10
}

func monthDays(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysOf counts from 1970-01-01 in the proleptic Gregorian calendar, for years from 0 on.
func daysOf(year, month, day int) int64 {
	if month <= 2 { // a year that begins in March has its leap day last
		year--
		month += 12
	}
	year += 400 // keeps year 0 from being negative
	return int64(365*year+year/4-year/100+year/400+(153*(month-3)+2)/5+day-1) - 719468 - 146097
}

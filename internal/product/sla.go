package product

import "time"

// Time is the promised value as a time; ok is false where it is none, such as a percentage.
func (s *SLAProperty) Time() (t time.Duration, ok bool) {
	n, ok := asNumber(s.Value)
	if !ok || s.Unit == "" {
		return 0, false
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': day, 'y': 365 * day}[s.Unit[0]]
	return time.Duration(n * float64(unit)), unit > 0
}

// Promised is the time that the port promises for a property, such as freshness.
func (o *Output) Promised(property string) (t time.Duration, ok bool) {
	for i := range o.SLA {
		if o.SLA[i].Property == property {
			return o.SLA[i].Time()
		}
	}
	return 0, false
}

// PromisedCount is the number that the port promises for a property without unit, such as lag.
func (o *Output) PromisedCount(property string) (n uint64, ok bool) {
	for i := range o.SLA {
		if s := &o.SLA[i]; s.Property == property && s.Unit == "" {
			v, ok := asNumber(s.Value)
			return uint64(max(v, 0)), ok
		}
	}
	return 0, false
}

package rules

import (
	enc "encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/upid/upid/collector/series"
)

const (
	alertVersion = 4
	// No string of a finding is longer.
	maxText = 256
)

// AppendState appends a versioned encoding of a to b.
func (a Alert) AppendState(b []byte) []byte {
	c := codec{b: append(b, alertVersion), read: false, err: nil}
	c.alert(&a)
	return c.b
}

// LoadState replaces a by what AppendState encoded in b. On error a is unchanged.
func (a *Alert) LoadState(b []byte) error {
	if len(b) == 0 || b[0] != alertVersion {
		return errors.New("load alert: not an alert of this version")
	}
	c := codec{b: b[1:], read: true, err: nil}
	var n Alert
	c.alert(&n)
	if c.err == nil && len(c.b) > 0 {
		c.err = errors.New("too long")
	}
	if c.err != nil {
		return fmt.Errorf("load alert: %w", c.err)
	}
	*a = n
	return nil
}

// A codec walks the fields of an alert, writing them or reading them.
type codec struct {
	b    []byte
	read bool
	err  error
}

func (c *codec) fail(what string) {
	if c.err == nil {
		c.err = errors.New(what)
	}
	c.b = nil
}

func (c *codec) i64(p *int64) {
	if !c.read {
		c.b = enc.AppendVarint(c.b, *p)
		return
	}
	v, n := enc.Varint(c.b)
	if n <= 0 {
		c.fail("too short")
		return
	}
	*p, c.b = v, c.b[n:]
}

func (c *codec) count(p *int) {
	v := int64(*p)
	c.i64(&v)
	if v < 0 || v > math.MaxInt32 {
		c.fail("count out of range")
		return
	}
	*p = int(v)
}

func (c *codec) flag(p *bool) {
	v := 0
	if *p {
		v = 1
	}
	c.count(&v)
	*p = v != 0
}

func (c *codec) f64(p *float64) {
	if !c.read {
		c.b = enc.LittleEndian.AppendUint64(c.b, math.Float64bits(*p))
		return
	}
	if len(c.b) < 8 {
		c.fail("too short")
		return
	}
	*p = math.Float64frombits(enc.LittleEndian.Uint64(c.b))
	c.b = c.b[8:]
	if math.IsInf(*p, 0) {
		c.fail("infinite")
	}
}

func (c *codec) text(p *string) {
	n := len(*p)
	c.count(&n)
	switch {
	case !c.read:
		c.b = append(c.b, *p...)
	case n > maxText || n > len(c.b):
		c.fail("text too long")
	default:
		*p, c.b = string(c.b[:n]), c.b[n:]
	}
}

func (c *codec) alert(a *Alert) {
	c.finding(&a.Finding)
	c.finding(&a.Resolved)
	c.i64(&a.last)
	c.count(&a.hot)
	c.i64(&a.first)
	c.score(&a.top)
	c.i64(&a.topAt)
	c.score(&a.breach)
	c.i64(&a.calm)
	c.f64(&a.fatigue)
	if !(a.fatigue >= 0) {
		c.fail("fatigue out of range")
	}
	for i := range a.opened {
		o := &a.opened[i]
		c.i64(&o.Start)
		c.i64(&o.At)
		c.f64(&o.Peak)
	}
	c.count(&a.raised)
}

func (c *codec) finding(p **series.Finding) {
	present := *p != nil
	c.flag(&present)
	if !present {
		return
	}
	if c.read {
		*p = new(series.Finding)
	}
	f := *p
	c.text(&f.ID)
	c.text(&f.Family)
	c.text(&f.Type)
	c.text(&f.Reclassified)
	c.text(&f.Severity)
	c.i64(&f.Start)
	c.i64(&f.End)
	c.f64(&f.Peak)
	c.score(&f.Worst)
	c.i64(&f.WorstAt)
	c.f64(&f.Confidence)
	c.score(&f.Score)
	c.flag(&f.Stale)
}

func (c *codec) score(s *series.Score) {
	c.f64(&s.Observed)
	c.f64(&s.Expected)
	c.f64(&s.Lower)
	c.f64(&s.Upper)
	c.f64(&s.Value)
	c.f64(&s.Confidence)
	c.text(&s.Type)
	c.text(&s.Why.View)
	for _, p := range []*float64{&s.Why.Value, &s.Why.Limit, &s.Why.Deviation, &s.Why.Usual, &s.Why.Days} {
		c.f64(p)
	}
	c.count(&s.Why.Peers)
}

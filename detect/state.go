package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// The encoding: the magic with its version, the step in ms, the fields in the
// order of walk, and a CRC-32C of all before it. Its length follows from the
// step, so nothing in it is a length to be trusted.
const (
	stateMagic = "upid.stream.7\n"
	stateTail  = 4 // bytes of the checksum
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A codec walks the fields of a state, writing them or reading them.
type codec struct {
	b    []byte
	read bool
	err  error
}

// u64 writes or reads eight bytes.
func (c *codec) u64(v uint64) uint64 {
	if !c.read {
		c.b = binary.LittleEndian.AppendUint64(c.b, v)
		return v
	}
	if len(c.b) < 8 {
		c.fail("too short")
		c.b = nil
		return 0
	}
	v = binary.LittleEndian.Uint64(c.b)
	c.b = c.b[8:]
	return v
}

// f64 walks finite numbers.
func (c *codec) f64(fields ...*float64) {
	for _, f := range fields {
		*f = math.Float64frombits(c.u64(math.Float64bits(*f)))
		if c.read && (math.IsNaN(*f) || math.IsInf(*f, 0)) {
			c.fail("not finite")
		}
	}
}

// i32 walks four bytes.
func (c *codec) i32(f *int32) {
	low, high := uint16(*f), uint16(*f>>16)
	c.u16(&low)
	c.u16(&high)
	*f = int32(high)<<16 | int32(low)
}

// u16 walks two bytes.
func (c *codec) u16(f *uint16) {
	if !c.read {
		c.b = binary.LittleEndian.AppendUint16(c.b, *f)
		return
	}
	if len(c.b) < 2 {
		c.fail("too short")
		return
	}
	*f, c.b = binary.LittleEndian.Uint16(c.b), c.b[2:]
}

// u8 walks one byte.
func (c *codec) u8(f *uint8) {
	if !c.read {
		c.b = append(c.b, *f)
		return
	}
	if len(c.b) < 1 {
		c.fail("too short")
		return
	}
	*f, c.b = c.b[0], c.b[1:]
}

// f32 walks finite numbers of at least 0.
func (c *codec) f32(f *float32) {
	if c.s32(f); c.read && !(*f >= 0) {
		c.fail("weight out of range")
	}
}

// s32 walks finite numbers.
func (c *codec) s32(f *float32) {
	if !c.read {
		c.b = binary.LittleEndian.AppendUint32(c.b, math.Float32bits(*f))
		return
	}
	if len(c.b) < 4 {
		c.fail("too short")
		c.b = nil
		return
	}
	*f = math.Float32frombits(binary.LittleEndian.Uint32(c.b))
	c.b = c.b[4:]
	if !(*f >= -math.MaxFloat32 && *f <= math.MaxFloat32) {
		c.fail("not finite")
	}
}

// i64 walks whole numbers of at least low and less than high.
func (c *codec) i64(f *int64, low, high int64) {
	*f = int64(c.u64(uint64(*f)))
	if c.read && (*f < low || *f >= high) {
		c.fail("out of range")
	}
}

// index walks a whole number of at least 0 and less than high.
func (c *codec) index(f *int32, high int32) {
	if c.i32(f); c.read && (*f < 0 || *f >= high) {
		c.fail("out of range")
	}
}

func (c *codec) flag(f *bool) {
	v := uint8(0)
	if *f {
		v = 1
	}
	if c.u8(&v); c.read && v > 1 {
		c.fail("out of range")
	}
	*f = v == 1
}

// fail keeps the first error.
func (c *codec) fail(what string) {
	if c.err == nil {
		c.err = errors.New(what)
	}
}

// walk visits every field that is not given by the options.
func (s *stream) walk(c *codec) {
	c.i64(&s.seen, 0, math.MaxInt64)
	c.i64(&s.last, math.MinInt64, math.MaxInt64)
	c.i64(&s.seenAt, math.MinInt64, math.MaxInt64)
	c.f64(&s.value)
	s.expect.walk(c)
	c.f64(&s.scale.all)
	for i := range s.scale.hour {
		c.f32(&s.scale.hour[i])
	}
	s.lever.walk(c)
	c.f64(&s.span.low, &s.span.high)
	s.pair.walk(c)
	c.f64(&s.pace.slope, &s.pace.last, &s.pace.still, &s.pace.jump, &s.pace.jumps, &s.pace.again)
	c.i64(&s.pace.since, math.MinInt64, math.MaxInt64)
	s.pace.beat.walk(c)
	c.i64(&s.shift.start, math.MinInt64, math.MaxInt64)
	s.shift.starts.walk(c)
	s.shift.length.walk(c)
	for i := range s.habits {
		s.habits[i].walk(c)
	}
	for i := range s.resets {
		c.s32(&s.resets[i].size)
		c.u8(&s.resets[i].times)
		c.u8(&s.resets[i].age)
	}
	s.startup.walk(c)
	c.flag(&s.calm)
	c.f64(&s.trail.left)
	if c.read && !(s.trail.left >= 0 && s.trail.left <= 1) {
		c.fail("trail out of range")
	}
	c.f64(&s.home.value, &s.home.votes, &s.home.away, &s.home.busy, &s.home.peak, &s.home.most)
	for i := range s.window {
		s.window[i].walk(c)
	}
	for i := range s.recent.x {
		c.s32(&s.recent.x[i])
	}
	c.index(&s.recent.pos, recentPoints)
	s.change.walk(c)
	s.shape.walk(c)
	c.f64(&s.burst.short, &s.burst.long)
	c.f64(&s.flat.length, &s.flat.longest, &s.flat.changes)
	c.f64(&s.gap.longest, &s.gap.known)
	for i := range s.tail {
		s.tail[i].walk(c)
	}
}

func (h *habit) walk(c *codec) {
	c.u8(&h.bin)
	c.u8(&h.times)
	c.u8(&h.apart)
	c.i32(&h.day)
	c.f32(&h.score)
}

func (v *leverage) walk(c *codec) {
	for i := range v.mean {
		c.f32(&v.mean[i])
		c.s32(&v.cost[i])
	}
	c.u8(&v.best)
	if c.read && v.best >= powers {
		c.fail("power out of range")
	}
}

func (u *startup) walk(c *codec) {
	for _, v := range []*float32{&u.level, &u.size, &u.fell, &u.by, &u.lower, &u.low} {
		c.s32(v)
	}
	c.i32(&u.at)
	c.i32(&u.since)
	c.flag(&u.known)
	c.flag(&u.judged)
	c.flag(&u.begun)
	c.flag(&u.climbs)
	c.flag(&u.daily)
	c.flag(&u.abrupt)
	c.flag(&u.quick)
}

func (r *rhythm) walk(c *codec) {
	c.f64(&r.low, &r.high)
	c.u8(&r.known)
	c.u8(&r.broken)
	c.u8(&r.paused)
	c.i64(&r.late, math.MinInt64, math.MaxInt64)
	c.i64(&r.pause, math.MinInt64, math.MaxInt64)
}

func (p *pair) walk(c *codec) {
	c.f64(&p.value[0], &p.value[1])
	c.index(&p.n, 4)
	c.index(&p.now, 2)
	c.f64(&p.run)
	for i := range p.state {
		c.f64(&p.state[i].longest, &p.state[i].points, &p.state[i].runs)
	}
}

func (e *expectation) walk(c *codec) {
	e.season.walk(c)
	e.week.walk(c)
	c.i32(&e.rests)
	c.f64(&e.local, &e.slow, &e.usual, &e.today, &e.drift)
	for i := range e.err {
		c.f64(&e.err[i])
	}
	c.flag(&e.fitted)
}

func (w *calendar) walk(c *codec) {
	for i := range w.level {
		v := uint8(w.level[i])
		c.u8(&v)
		w.level[i] = int8(v)
	}
	c.s32(&w.both)
	c.f32(&w.square)
	c.s32(&w.sum)
	c.s32(&w.held)
	exp := uint16(w.exp)
	c.u16(&exp)
	w.exp = int16(exp)
	c.u16(&w.n)
	for _, h := range []*uint8{&w.hour, &w.heldAt, &w.first} {
		if c.u8(h); *h >= weekHours && *h != noHour {
			c.fail("out of range")
		}
	}
	c.u8(&w.weeks)
	if w.weeks > calendarMemory || w.exp != noUnit && (w.exp < calendarFinest || w.exp > calendarCoarsest) || w.n > 0 && w.hour == noHour {
		c.fail("out of range")
	}
}

func (s *season) walk(c *codec) {
	for i := range s.level {
		c.s32(&s.level[i])
	}
	for i := range s.days {
		c.u8(&s.days[i])
	}
	for i := range s.level {
		if s.days.at(i) > seasonMemory {
			c.fail("out of range")
		}
	}
	c.f64(&s.origin, &s.spread)
	c.flag(&s.begun)
	c.i64(&s.cur, math.MinInt64, math.MaxInt64)
	c.f64(&s.sum)
	c.i64(&s.n, 0, math.MaxInt64)
}

func (w *window) walk(c *codec) {
	for i := range w.blocks {
		c.s32(&w.blocks[i])
	}
	c.index(&w.pos, int32(len(w.blocks)))
	c.index(&w.fill, w.per+1)
	c.f64(&w.sum)
	c.index(&w.n, w.per*int32(len(w.blocks))+1)
	c.f32(&w.scale)
	c.f32(&w.lagged)
	c.f32(&w.peak)
}

func (c *change) walk(w *codec) {
	for i := range c.block {
		w.s32(&c.block[i])
	}
	w.index(&c.pos, changeBlocks)
	w.i64(&c.n, 0, math.MaxInt64)
	w.f64(&c.sum)
	w.index(&c.have, changeBlocks+1)
	w.index(&c.fill, c.per)
	for i := range c.usual {
		w.f64(&c.usual[i])
	}
	w.f64(&c.value, &c.z, &c.by, &c.raw)
}

func (s *shape) walk(c *codec) {
	for i := range lags {
		c.s32(&s.x[i])
		for j := range i + 1 {
			c.s32(&s.cov[cell(i, j)])
			c.s32(&s.white[cell(i, j)])
		}
		if c.read && !(s.white[cell(i, i)] > 0) {
			c.fail("covariance is singular")
		}
	}
}

func (h *tail) walk(c *codec) {
	for i := range h.weight {
		c.u16(&h.weight[i])
	}
	c.f32(&h.unit)
	c.f32(&h.total)
	c.f64(&h.level)
	if c.read && (!(h.level > 0) || !(h.unit >= 0) || h.unit > tailUnitMost) {
		c.fail("level or unit out of range")
	}
}

// AppendState implements Scorer.
func (s *stream) AppendState(b []byte) []byte {
	start := len(b)
	c := codec{b: append(b, stateMagic...), read: false, err: nil}
	c.u64(uint64(s.o.step.Milliseconds()))
	s.walk(&c)
	return binary.LittleEndian.AppendUint32(c.b, crc32.Checksum(c.b[start:], castagnoli))
}

// LoadState implements Scorer. The state must come from a stream with the same
// step; the other options may differ.
func (s *stream) LoadState(b []byte) error {
	body := len(b) - stateTail
	if body < len(stateMagic) || string(b[:len(stateMagic)]) != stateMagic {
		return errors.New("load state: not a state of this version of the stream detector")
	}
	if binary.LittleEndian.Uint32(b[body:]) != crc32.Checksum(b[:body], castagnoli) {
		return errors.New("load state: checksum mismatch")
	}
	c := codec{b: b[len(stateMagic):body], read: true, err: nil}
	if step := int64(c.u64(0)); c.err == nil && step != s.o.step.Milliseconds() {
		return fmt.Errorf("load state: made for a step of %d ms, want %d ms", step, s.o.step.Milliseconds())
	}
	n := makeStream(s.o.options(s.expect.season.loc))
	n.walk(&c)
	if c.err == nil && len(c.b) > 0 {
		c.fail("too long")
	}
	if c.err != nil {
		return fmt.Errorf("load state: %w", c.err)
	}
	*s = *n
	return nil
}

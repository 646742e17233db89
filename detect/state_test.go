package detect

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// Saved after n points and loaded elsewhere, the rest of the series gives the
// same scores, to the bit, and the same state in the end.
func TestStateContinues(t *testing.T) {
	y := daily(3*1440, 31)
	for i := 2000; i < 2030; i++ {
		y[i] = math.NaN()
	}
	y[2500] += 100
	for i := 2600; i < 2650; i++ { // judged by how many gaps are known
		y[i] = math.NaN()
	}
	whole := mustNew(t, options())
	want := make([]float64, len(y))
	for i, v := range y {
		want[i] = whole.Step(t0+int64(i)*minuteMS, v).Value
	}
	for _, n := range []int{0, 1, 59, 60, 777, 2010, 2501, len(y)} {
		first := mustNew(t, options())
		for i, v := range y[:n] {
			first.Step(t0+int64(i)*minuteMS, v)
		}
		state := first.AppendState([]byte("kept"))
		if string(state[:4]) != "kept" {
			t.Fatal("AppendState did not append")
		}
		second := mustNew(t, options())
		second.Step(t0, 12345) // must be forgotten
		if err := second.LoadState(state[4:]); err != nil {
			t.Fatalf("after %d points: %v", n, err)
		}
		for i := n; i < len(y); i++ {
			got := second.Step(t0+int64(i)*minuteMS, y[i]).Value
			if math.Float64bits(got) != math.Float64bits(want[i]) {
				t.Fatalf("saved after %d points: score %v at %d, want %v", n, got, i, want[i])
			}
		}
		if !bytes.Equal(second.AppendState(nil), whole.AppendState(nil)) {
			t.Errorf("saved after %d points: the state in the end differs", n)
		}
	}
}

// All that the windows know is kept, what matters after a week only too.
func TestStateKeepsWindows(t *testing.T) {
	o, err := options().complete()
	if err != nil {
		t.Fatal(err)
	}
	first, second := makeStream(o), makeStream(o)
	for i, v := range daily(3*1440, 31) {
		first.Step(t0+int64(i)*minuteMS, v)
	}
	if err := second.LoadState(first.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	for i := range first.window {
		if w := first.window[i]; w.scale == 0 || w.lagged == 0 || w.peak == 0 {
			t.Errorf("window %d has learned nothing: %+v", i, w)
		}
	}
	if !reflect.DeepEqual(first.window, second.window) {
		t.Errorf("%+v\nis loaded as\n%+v", first.window, second.window)
	}
}

// The same points give the same bytes.
func TestStateIsDeterministic(t *testing.T) {
	y := daily(2000, 32)
	var states [2][]byte
	for k := range states {
		s := mustNew(t, options())
		for i, v := range y {
			s.Step(t0+int64(i)*minuteMS, v)
		}
		states[k] = s.AppendState(nil)
	}
	if !bytes.Equal(states[0], states[1]) {
		t.Error("two runs over the same points differ")
	}
}

// What is encoded is what is held: memory is fixed and stays below 16 KiB.
func TestStateSize(t *testing.T) {
	for _, step := range []time.Duration{time.Second, 15 * time.Second, time.Minute, time.Hour} {
		o := options()
		o.Step = step
		s := mustNew(t, o)
		empty := len(s.AppendState(nil))
		for i := range 2000 {
			s.Step(t0+int64(i)*step.Milliseconds(), float64(i%7))
		}
		if full := len(s.AppendState(nil)); full != empty || full > 16<<10 {
			t.Errorf("step %v: %d bytes empty, %d full; want the same, at most 16 KiB", step, empty, full)
		}
	}
}

// sealed puts a valid checksum on a body.
func sealed(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, castagnoli))
}

func TestStateRefuses(t *testing.T) {
	s := mustNew(t, options())
	for i, v := range daily(500, 33) {
		s.Step(t0+int64(i)*minuteMS, v)
	}
	good := s.AppendState(nil)
	body := good[:len(good)-stateTail]
	f := func(name string, b []byte, want string) {
		t.Helper()
		err := s.LoadState(b)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
		if !bytes.Equal(s.AppendState(nil), good) {
			t.Fatalf("%s: changed the state", name)
		}
	}
	f("nothing", nil, "not a state")
	f("another format", []byte("upid.stream.9\n and so on"), "not a state")
	f("a flipped bit", append([]byte(nil), flip(good, 100)...), "checksum")
	f("cut short", sealed(body[:len(body)-8]), "too short")
	f("too long", sealed(append(bytes.Clone(body), 0)), "too long")
	f("not a number", sealed(put(body, len(stateMagic)+8+3*8, math.Float64bits(math.NaN()))), "not finite")
	f("a negative count", sealed(put(body, len(stateMagic)+8, ^uint64(0))), "out of range")
	hourly := options()
	hourly.Step = time.Hour
	f("another step", mustNew(t, hourly).AppendState(nil), "made for a step of 3600000 ms, want 60000 ms")
}

func flip(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1
	return c
}

func put(b []byte, at int, v uint64) []byte {
	c := bytes.Clone(b)
	binary.LittleEndian.PutUint64(c[at:], v)
	return c
}

// FuzzState loads anything, checksum put right, and goes on: an error or a state
// that scores without panic and can be saved and loaded again.
func FuzzState(f *testing.F) {
	o := options()
	o.Step = time.Hour // a small state
	s := mustNew(f, o)
	f.Add(s.AppendState(nil))
	for i, v := range daily(400, 34) {
		s.Step(t0+int64(i)*hourMS, v)
	}
	f.Add(s.AppendState(nil))
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= stateTail {
			b = sealed(b[:len(b)-stateTail])
		}
		s := mustNew(t, o)
		if s.LoadState(b) != nil {
			return
		}
		for i := range int64(100) {
			s.Step(t0+i*hourMS, float64(i%5))
			s.Step(t0+i*hourMS+1, math.NaN())
		}
		s.AppendState(nil)
	})
}

// FuzzStep feeds any values at any times: no panic, and nothing but finite
// numbers or the NaN of warm-up comes out.
func FuzzStep(f *testing.F) {
	f.Add([]byte{1, 2, 3}, 1e300, int64(60_000))
	f.Add([]byte{0, 0, 0, 0, 0, 9}, math.Copysign(0, -1), int64(1))
	f.Add([]byte("a longer run of bytes that vary"), 5e-324, int64(-3))
	f.Fuzz(func(t *testing.T, b []byte, unit float64, jump int64) {
		s := mustNew(t, options())
		at := t0
		for i := range 400 {
			v := math.NaN()
			if len(b) > 0 {
				v = unit * float64(int8(b[i%len(b)]))
			}
			at += minuteMS
			if i%97 == 96 {
				at += jump % (40 * dayMS)
			}
			sc := s.Step(at, v)
			for _, x := range []float64{sc.Expected, sc.Lower, sc.Upper, sc.Value, sc.Observed, sc.Confidence} {
				if math.IsInf(x, 0) {
					t.Fatalf("score %+v of %v", sc, v)
				}
			}
			if (sc.Value >= 1) != (sc.Type != "") {
				t.Fatalf("score %+v of %v", sc, v)
			}
		}
		twin := mustNew(t, options())
		if err := twin.LoadState(s.AppendState(nil)); err != nil {
			t.Fatalf("its own state: %v", err)
		}
	})
}

func BenchmarkStep(b *testing.B) {
	y := daily(4*week, 35)
	s := mustNew(b, options())
	at := t0
	for _, v := range y[:2*week] {
		at += minuteMS
		s.Step(at, v)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		at += minuteMS
		s.Step(at, y[2*week+i])
		if i++; i == 2*week {
			i = 0
		}
	}
	b.ReportMetric(float64(len(s.AppendState(nil))), "B/series")
}

func BenchmarkAppendState(b *testing.B) {
	s := mustNew(b, options())
	buf := s.AppendState(nil)
	b.ReportAllocs()
	for b.Loop() {
		buf = s.AppendState(buf[:0])
	}
}

// Step must not allocate.
func TestStepDoesNotAllocate(t *testing.T) {
	s := mustNew(t, options())
	y := daily(2000, 36)
	i := int64(0)
	got := testing.AllocsPerRun(1900, func() {
		s.Step(t0+i*minuteMS, y[i])
		i++
	})
	if got != 0 {
		t.Errorf("%v allocations a point, want none", got)
	}
}

// TestStateVersion: whatever state is written, its version is in that of all.
func TestStateVersion(t *testing.T) {
	p, err := NewPeers(options())
	if err != nil {
		t.Fatal(err)
	}
	var m Peer
	for _, b := range [][]byte{mustNew(t, options()).AppendState(nil), p.AppendState(nil), m.AppendState(nil)} {
		version, _, _ := strings.Cut(string(b), "\n")
		if !strings.HasPrefix(version, "upid.") || !strings.Contains(StateVersion(), version+"\n") {
			t.Errorf("%q is not in %q", version, StateVersion())
		}
	}
}

// The allocator has no size between 3456 and 4096 bytes, and keeps eight for itself: a field more
// would cost each series 640, and 5 KiB is what there is.
func TestStreamFits(t *testing.T) {
	if size := unsafe.Sizeof(stream{}); size > 3448 {
		t.Errorf("a stream takes %d bytes without its slices, want 3448 at most", size)
	}
}

package signal

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
)

// busy is a world with anomalies past and open, pods that come and go, and a gap.
func busy(f int64) world {
	w := world{step: 5 * minute}
	for i := range 6 {
		w.pods = append(w.pods, pod{labels.FromStrings("__name__", "cpu", "namespace", "shop", "pod", fmt.Sprint("p", i)), func(t int64) float64 {
			switch {
			case i == 1 && t >= f-30*hour && t < f-26*hour, i == 2 && t >= f+20*5*minute:
				return 9 * daily(t+int64(i))
			case i == 3 && t > f+10*5*minute, i == 4 && t < f+30*5*minute, i == 5 && t > f-hour && t < f+hour:
				return math.NaN()
			}
			return daily(t + int64(i)*hour)
		}})
	}
	w.pods = append(w.pods, pod{labels.FromStrings("job", "young"), func(t int64) float64 {
		if t < f-2*hour {
			return math.NaN()
		}
		return daily(t)
	}})
	return w
}

func snapshot(t *testing.T, u *Unit) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := u.Snapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func restored(t *testing.T, b []byte) *Unit {
	t.Helper()
	u := newUnit(t, options())
	if err := u.Restore(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return u
}

// sameResults compares everything results say, NaNs and the words of warnings
// included.
func sameResults(t *testing.T, got, want []series.Result) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d", len(got), len(want))
	}
	for i := range want {
		if g, w := deepString(got[i]), deepString(want[i]); g != w {
			t.Fatalf("result %d\n%s\nwant\n%s", i, g, w)
		}
	}
}

// deepString writes a result with what its pointers point at.
func deepString(r series.Result) string {
	var b strings.Builder
	if r.Forecast != nil {
		fmt.Fprintf(&b, "forecast %+v\n", *r.Forecast)
	}
	if r.Score != nil {
		fmt.Fprintf(&b, "score %+v\n", *r.Score)
	}
	if r.Live != nil {
		fmt.Fprintf(&b, "live %+v\n", *r.Live)
	}
	r.Forecast, r.Score, r.Live = nil, nil, nil
	fmt.Fprintf(&b, "%+v", r)
	return b.String()
}

// TestRestoredUnitGoesOnAsTheOther: killed at any point, restored from an older
// snapshot and given what it missed in one go, a unit has the same state, to the
// byte, and says the same as one that ran through. So replicas agree.
func TestRestoredUnitGoesOnAsTheOther(t *testing.T) {
	f := epoch + 30*day
	w := busy(f)
	through := newUnit(t, options())
	fit(t, through, w, f)
	var old []byte
	findings := 0
	for k := int64(0); k <= 60; k++ {
		now := f + k*5*minute
		want := step(t, through, w, now)
		for _, r := range want {
			findings += len(r.Findings) + len(r.Past)
		}
		if k%7 == 0 {
			old = snapshot(t, through)
		}
		u := restored(t, old)
		sameResults(t, step(t, u, w, now), want)
		if !bytes.Equal(snapshot(t, u), snapshot(t, through)) {
			t.Fatalf("step %d: another state", k)
		}
	}
	if findings == 0 {
		t.Error("nothing was found: the test shows little")
	}
	// The next fit agrees as well, and keeps what was on record.
	u := restored(t, old)
	step(t, u, w, through.Position())
	end := f + 61*5*minute
	fit(t, u, w, end)
	fit(t, through, w, end)
	if !bytes.Equal(snapshot(t, u), snapshot(t, through)) {
		t.Error("after the next fit the states differ")
	}
}

// TestSnapshotHoldsEverything compares every field of every state.
func TestSnapshotHoldsEverything(t *testing.T) {
	f := epoch + 30*day
	u := newUnit(t, options())
	fit(t, u, busy(f), f)
	step(t, u, busy(f), f+2*hour)
	u.order[0].past = append(u.order[0].past, series.Finding{
		ID: "i", Family: "f", Type: "spike", Reclassified: "drift", Severity: "critical", Start: 1, End: 2, Peak: 3, Confidence: 0.5,
		Score: series.Score{Observed: 1, Expected: 2, Lower: 3, Upper: 4, Value: 5, Confidence: 6, Type: "x"}, Stale: true,
	})
	u.order[0].trends = []series.Trend{{Window: 168 * time.Hour, Ratio: -0.25}}
	r := restored(t, snapshot(t, u))
	if r.Position() != u.Position() || len(r.order) != len(u.order) || len(r.states) != len(u.states) {
		t.Fatalf("position %d, %d series", r.Position(), len(r.order))
	}
	for i, want := range u.order {
		got := r.order[i]
		g, w := reflect.ValueOf(*got), reflect.ValueOf(*want)
		for k := range w.NumField() {
			name := w.Type().Field(k).Name
			a, b := fmt.Sprintf("%+v", g.Field(k)), fmt.Sprintf("%+v", w.Field(k))
			switch name {
			case "warnings":
				a, b = fmt.Sprint(got.warnings), fmt.Sprint(want.warnings)
			case "forecast":
				a, b = fmt.Sprintf("%+v", got.forecast), fmt.Sprintf("%+v", want.forecast)
			case "scorer":
				a, b = string(got.scorer.AppendState(nil)), string(want.scorer.AppendState(nil))
			case "alert":
				a, b = string(got.alert.AppendState(nil)), string(want.alert.AppendState(nil))
			}
			if a != b {
				t.Errorf("%s of %s:\n%s\nwant\n%s", name, want.labels, a, b)
			}
		}
		if k := key(labels.NewBuilder(got.labels).Set("__name__", got.sourceName).Labels(), nil); r.states[string(k)] != got {
			t.Errorf("%s is not found by its labels", got.labels)
		}
	}
}

// TestRestoreRefuses what is not a snapshot of these options, and stays as it was.
func TestRestoreRefuses(t *testing.T) {
	f := epoch + 30*day
	u := newUnit(t, options())
	fit(t, u, single(daily), f)
	b := snapshot(t, u)
	f1 := func(name string, o Options, b []byte) {
		t.Helper()
		other := newUnit(t, o)
		if err := other.Restore(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: taken", name)
		}
		if other.Position() != 0 || len(other.states) != 0 {
			t.Errorf("%s: it left something behind", name)
		}
	}
	for n := range len(b) {
		if n < 200 || n%97 == 0 {
			f1(fmt.Sprintf("cut to %d bytes", n), options(), b[:n])
		}
	}
	f1("longer", options(), append(bytes.Clone(b), 0))
	f1("another version", options(), append([]byte{snapshotVersion + 1}, b[1:]...))
	without := options()
	without.Detect = nil
	f1("not scored", without, b)
	coarser := options()
	coarser.Step *= 2
	coarser.Detect.Options.Step *= 2
	f1("another step", coarser, b)
	huge := []byte{snapshotVersion, 2, 1, 0xff, 0xff, 0xff, 0xff, 0x7f}
	f1("a length that lies", options(), huge)
	for i := range 300 { // nothing a checksum did not catch makes it panic
		c := bytes.Clone(b)
		c[(i*131)%len(c)] ^= byte(1 + i%255)
		_ = newUnit(t, options()).Restore(bytes.NewReader(c))
	}
}

func TestSnapshotOfForecastOnly(t *testing.T) {
	o := options()
	o.Detect = nil
	f := epoch + 30*day
	u := newUnit(t, o)
	fit(t, u, single(daily), f)
	r := newUnit(t, o)
	if err := r.Restore(bytes.NewReader(snapshot(t, u))); err != nil {
		t.Fatal(err)
	}
	sameResults(t, step(t, r, single(daily), f+hour), step(t, u, single(daily), f+hour))
	for n := range 3 {
		if err := u.Snapshot(&failAfter{n}); err == nil {
			t.Errorf("write %d failed and nobody noticed", n)
		}
	}
}

type failAfter struct{ n int }

func (f *failAfter) Write(b []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, context.Canceled
	}
	return len(b), nil
}

// BenchmarkRestore restores a unit of 10,000 series and scores one point of each,
// as a warm start does.
func BenchmarkRestore(b *testing.B) {
	const n = 10_000
	u, err := New(options())
	if err != nil {
		b.Fatal(err)
	}
	w := single(daily)
	commit, err := u.Fit(context.Background(), epoch+30*day, w.input(epoch+2*day, epoch+30*day))
	if err != nil {
		b.Fatal(err)
	}
	commit()
	one := u.order[0]
	in := pipeline.Input{Start: u.Position() + w.step, End: u.Position() + w.step, Series: series.Set{}}
	var d series.Data
	u.states, u.order = map[string]*state{}, nil
	for i := range n {
		s := *one
		s.labels = labels.FromStrings("job", "shop", "namespace", "checkout", "pod", fmt.Sprintf("checkout-%d", i), "container", "app")
		u.order = append(u.order, &s)
		d.Series = append(d.Series, series.Series{Labels: labels.NewBuilder(s.labels).Set("__name__", s.sourceName).Labels(), Start: in.Start, Step: w.step, Values: []float64{100}})
	}
	in.Series[Input] = d
	var buf bytes.Buffer
	if err := u.Snapshot(&buf); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := New(options())
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Restore(bytes.NewReader(buf.Bytes())); err != nil {
			b.Fatal(err)
		}
		rs, err := r.Step(context.Background(), in.End, in)
		if err != nil || len(rs) != n {
			b.Fatal(len(rs), err)
		}
	}
	b.ReportMetric(float64(buf.Len())/n, "B/series")
}

// FuzzRestore reads snapshots of any content: an error or a state that can be
// written again, never a panic.
func FuzzRestore(f *testing.F) {
	o := options()
	o.Workers = 1
	u, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	w := single(daily)
	commit, err := u.Fit(context.Background(), epoch+30*day, w.input(epoch+27*day, epoch+30*day))
	if err != nil {
		f.Fatal(err)
	}
	commit()
	var b bytes.Buffer
	if err := u.Snapshot(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{snapshotVersion, 2, 1, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Restore(bytes.NewReader(b)) == nil {
			_ = snapshot(t, r)
		}
	})
}

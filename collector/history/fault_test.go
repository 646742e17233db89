package history

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/store"
)

const golden = "testdata/6000000-42000000.seg"

// small is what the golden segment holds.
func small() []series.Series {
	s := &server{series: pods()[:2]}
	d, _ := s.Query(context.Background(), expr, 6_000_000, 42_000_000, 10*minute)
	return d.Series
}

func readAll(path string) ([]series.Series, error) {
	from, to, ok := parseName(filepath.Base(path))
	if !ok {
		return nil, errors.New("name")
	}
	a := newAssembly(span{from, to}, 10*minute, 0, 0)
	if err := a.segment(&segment{path, from, to, nil}); err != nil {
		return nil, err
	}
	d, err := a.data()
	return d.Series, err
}

// TestFault_D8 reads a segment written by the first version, and there was no other. UPDATE=1
// writes it, which only a new version of the format may do.
func TestFault_D8(t *testing.T) {
	if os.Getenv("UPDATE") != "" {
		if _, err := writeSegment("testdata", nil, 10*minute, 6_000_000, 42_000_000, seriesColumns(small(), 6_000_000, 42_000_000)); err != nil {
			t.Fatal(err)
		}
	}
	recorded := filepath.Join(t.TempDir(), filepath.Base(golden))
	if b, err := os.ReadFile(golden); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(recorded, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readAll(recorded)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, small())
	dir := t.TempDir()
	g, err := writeSegment(dir, nil, 10*minute, 6_000_000, 42_000_000, seriesColumns(small(), 6_000_000, 42_000_000))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(g.path)
	b, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(a, b) {
		t.Error("the same points make other bytes than they did")
	}
}

// TestFault_D6_segments flips every bit of a segment and cuts it at every
// length.
func TestFault_D6_segments(t *testing.T) {
	whole, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(golden))
	try := func(what string, at int, b []byte) {
		t.Helper()
		_ = os.Remove(path) // some file systems sync a file that is cut and written again
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(path); !errors.Is(err, store.ErrDamaged) && (at != len(segmentMagic)-1 || !errors.Is(err, store.ErrSchema)) {
			t.Fatalf("%s at %d of %d: %v", what, at, len(whole), err)
		}
	}
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			try("bit flipped", i, b)
		}
		try("cut", i, whole[:i])
	}
	try("longer", len(whole), append(bytes.Clone(whole), 0))
	try("zeros", 0, make([]byte, len(whole)))
	// A whole file of another range, and of another step.
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(filepath.Dir(path), segmentName(6_000_000, 41_400_000))
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(moved); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("under another name: %v", err)
	}
	if err := os.Rename(moved, path); err != nil {
		t.Fatal(err)
	}
	if _, err := (&segment{path, 6_000_000, 42_000_000, nil}).open(minute); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("of another step: %v", err)
	}
}

// TestFault_D6: whatever was done to the files, also what a loss of power leaves of them
// (D3: they are empty or not there, as history is not synced), by another user (D9) or a newer
// version (D7), answers are right, what was lost is asked for once, and damaged files are put
// away; those of a newer version stay beside.
func TestFault_D6(t *testing.T) {
	dir := t.TempDir()
	s := &server{series: pods()}
	end := epoch + 3*aDay
	newRig(t, dir, s).ask(t, end-3*aDay, end)
	fs := files(t, dir)
	if len(fs) != 4 {
		t.Fatalf("%d files", len(fs))
	}
	f := func(name string, reason string, lost int, damage func(path string) error) {
		t.Helper()
		r := newRig(t, dir, s)
		s.questions()
		for _, path := range fs[1:3] {
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
		}
		r.ask(t, end-3*aDay, end)
		if q := s.questions(); len(q) != 1 || q[0].points(minute) != 2*24*60 {
			t.Errorf("%s: asked for %v", name, q)
		}
		r.ask(t, end-3*aDay, end)
		if q := s.questions(); len(q) != 0 {
			t.Errorf("%s: asked again for %v", name, q)
		}
		if n := r.counter("upid_state_rebuilds_total", "part=history", "reason="+reason); n != 2 {
			t.Errorf("%s: %v rebuilds counted as %s", name, n, reason)
		}
		if n := strings.Count(r.said.String(), "history lost"); n != 1 {
			t.Errorf("%s: said %d times:\n%s", name, n, r.said)
		}
		if !slices.Equal(files(t, dir), fs) {
			t.Errorf("%s: files %v, want %v", name, files(t, dir), fs)
		}
		put, _ := os.ReadDir(filepath.Join(dir, "history", "quarantine"))
		if len(put) != lost {
			t.Errorf("%s: %d files in quarantine, want %d", name, len(put), lost)
		}
	}
	f("removed", "missing", 0, os.Remove)
	f("emptied", "damaged", 2, func(p string) error { return os.Truncate(p, 0) })
	f("flipped", "damaged", 2, func(p string) error {
		b, err := os.ReadFile(p)
		b[len(b)/2] ^= 4
		return errors.Join(err, os.WriteFile(p, b, 0o600))
	})
	f("others may read it", "exposed", 2, func(p string) error { return os.Chmod(p, 0o644) })
	f("a pipe", "damaged", 2, func(p string) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o600)) })
	f("a link", "damaged", 2, func(p string) error { return errors.Join(os.Rename(p, p+".else"), os.Symlink(p+".else", p)) })
	if os.Geteuid() == 0 {
		f("another owner", "exposed", 2, func(p string) error { return os.Chown(p, 12345, -1) })
	}
	f("a newer version", "other_version", 2, func(p string) error {
		b, err := os.ReadFile(p)
		return errors.Join(err, os.WriteFile(p, bytes.Replace(b, []byte(segmentMagic), []byte("upid.history.2"), 1), 0o600))
	})
	for _, path := range fs[1:3] {
		if b, err := os.ReadFile(path + ".other_version"); err != nil || !bytes.HasPrefix(b, []byte("upid.history.2\n")) {
			t.Errorf("a newer version was not kept: %v", err)
		}
	}
	f("a directory", "damaged", 2, func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) })
}

// TestFault_D2: while nothing can be written all answers are right, it is said
// once, counted, and mended by itself.
func TestFault_D2(t *testing.T) {
	dir := t.TempDir()
	s := &server{series: pods()}
	r := newRig(t, dir, s)
	block := filepath.Join(dir, "history")
	if err := os.WriteFile(block, nil, 0o600); err != nil { // a file where the directory should be
		t.Fatal(err)
	}
	end := epoch + 2*aDay
	r.ask(t, end-2*aDay, end)
	r.ask(t, end-2*aDay, end)
	for range 3 * openMost { // more than is held in memory
		end += minute
		r.ask(t, end, end)
		r.maintain(false)
	}
	if n := r.open().points(minute); n > openMost {
		t.Errorf("%d points in memory", n)
	}
	if n := r.counter("upid_history_write_failures_total"); n < 3 {
		t.Errorf("%v failures counted", n)
	}
	if n := strings.Count(r.said.String(), "cannot be written"); n != 1 {
		t.Errorf("said %d times:\n%s", n, r.said)
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	r.maintain(false)
	if !strings.Contains(r.said.String(), "history is written again") {
		t.Errorf("log:\n%s", r.said)
	}
	r.ask(t, end-2*aDay, end)
	s.questions()
	r.ask(t, end-2*aDay, end)
	if q := s.questions(); len(q) != 0 {
		t.Errorf("asked for %v", q)
	}
}

// open returns the block in memory of the one query.
func (r *rig) open() *block { return r.logs[asked{expr, minute}].open }

// TestFault_D14 makes the directory anew.
func TestFault_D14(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir, &server{series: pods()})
	end := epoch + 2*aDay
	r.ask(t, end-2*aDay, end)
	if err := os.RemoveAll(filepath.Join(dir, "history")); err != nil {
		t.Fatal(err)
	}
	r.ask(t, end-2*aDay, end)
	r.ask(t, end+minute, end+minute)
	r.maintain(true)
	if n := len(files(t, dir)); n < 3 {
		t.Errorf("%d files", n)
	}
	if info, err := os.Stat(filepath.Join(dir, "history")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestKilledCompaction leaves a large segment beside those it was made of.
func TestKilledCompaction(t *testing.T) {
	dir := t.TempDir()
	s := &server{series: pods()}
	r := newRig(t, dir, s)
	for now := epoch; now < epoch+5*hour; now += hour {
		r.ask(t, now, now+hour-minute)
		r.maintain(true)
	}
	parts := files(t, dir)
	kept := map[string][]byte{}
	for _, p := range parts {
		kept[p], _ = os.ReadFile(p)
	}
	r.ask(t, epoch+2*aDay, epoch+2*aDay)
	r.maintain(true)
	if n := len(files(t, dir)); len(parts) != 5 || n != 2 {
		t.Fatalf("%d parts, %d files", len(parts), n)
	}
	for p, b := range kept {
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := newRig(t, dir, s)
	s.questions()
	again.ask(t, epoch, epoch+5*hour-minute)
	if q := s.questions(); len(q) != 0 || len(files(t, dir)) != 2 {
		t.Errorf("asked for %v, files %v", q, files(t, dir))
	}
	// A part that cannot be read stops nothing: the query that needs it mends it.
	for p, b := range kept {
		if err := os.WriteFile(p, b[:len(b)/2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files(t, dir) {
		if kept[f] == nil {
			_ = os.Remove(f)
		}
	}
	broken := newRig(t, dir, s)
	broken.ask(t, epoch+3*aDay, epoch+3*aDay)
	broken.maintain(true)
	broken.ask(t, epoch, epoch+5*hour-minute)
}

func TestSpans(t *testing.T) {
	var ss spans
	for _, s := range []span{{50, 60}, {10, 20}, {30, 40}, {100, 100}, {62, 70}} {
		ss = ss.add(s, 10)
	}
	if want := (spans{{10, 70}, {100, 100}}); !slices.Equal(ss, want) {
		t.Errorf("%v, want %v", ss, want)
	}
	if got, want := ss.missing(span{0, 120}, 10), []span{{0, 0}, {80, 90}, {110, 120}}; !slices.Equal(got, want) {
		t.Errorf("missing %v, want %v", got, want)
	}
	before := span{-3 * hour, 2 * hour}.days(hour)
	if want := []span{{-3 * hour, -hour}, {0, 2 * hour}}; !slices.Equal(before, want) {
		t.Errorf("days %v, want %v", before, want)
	}
	if got := longest([]span{{0, 1}, {10, 15}, {20, 29}}, 2); !slices.Equal(got, []span{{10, 15}, {20, 29}}) {
		t.Errorf("longest %v", got)
	}
}

func TestRunWritesAtItsEnd(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir, &server{series: pods()})
	r.ask(t, epoch, epoch)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.Run(ctx); err != nil || len(files(t, dir)) != 1 {
		t.Errorf("at the end %d files, %v", len(files(t, dir)), err)
	}
}

// TestForgottenMeanwhile loses what a query relies on while that asks for the
// rest: the answer must not have a gap instead.
func TestForgottenMeanwhile(t *testing.T) {
	for name, lose := range map[string]func(*rig){
		"damage met by another query": func(r *rig) {
			for _, f := range files(t, r.dir) {
				if err := os.Truncate(f, 100); err != nil {
					t.Error(err)
				}
			}
			if _, err := r.Query(context.Background(), expr, epoch, epoch+hour, minute); err != nil {
				t.Error(err)
			}
			for _, l := range r.logs { // and what it asked for again could not be written
				l.segments = nil
			}
		},
		"points that cannot be written": func(r *rig) {
			for _, l := range r.logs {
				l.segments, l.open = nil, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{series: pods()}
			slow := &interrupted{server: s}
			r := newRig(t, t.TempDir(), s)
			r.ask(t, epoch, epoch+5*hour-minute)
			r.source = slow
			slow.now = func() { lose(r) }
			r.ask(t, epoch, epoch+8*hour)
			if slow.now != nil {
				t.Error("nothing was asked for")
			}
		})
	}
}

// interrupted is a server during whose next answer something happens.
type interrupted struct {
	*server
	now func()
}

func (s *interrupted) Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error) {
	if f := s.now; f != nil {
		s.now = nil
		f()
	}
	return s.server.Query(ctx, expr, start, end, step)
}

// FuzzSegment reads files of any content: an error or points, never a panic. No change finds the
// checksums by chance, so it is also read as an index and as a column with checksums that are right.
func FuzzSegment(f *testing.F) {
	whole, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	n := int(binary.LittleEndian.Uint64(whole[len(whole)-tailLen:]))
	index := whole[len(whole)-tailLen-n+8 : len(whole)-tailLen]
	f.Add(whole)
	f.Add([]byte(segmentMagic + "\n"))
	f.Add(index)
	f.Add(whole[len(segmentMagic)+1 : len(whole)-tailLen-n]) // columns
	f.Fuzz(func(t *testing.T, b []byte) {
		g := &segment{golden, 6_000_000, 42_000_000, nil}
		read := func(b []byte) {
			if r, err := g.index(bytes.NewReader(b), int64(len(b)), 10*minute); err == nil {
				_ = newAssembly(span{g.from, g.to}, 10*minute, 0, 0).columns(r)
			}
		}
		read(b)
		frame := store.AppendFrame(nil, b)
		file := append([]byte(segmentMagic+"\n"), whole[len(segmentMagic)+1:len(whole)-tailLen-n]...)
		file = binary.LittleEndian.AppendUint64(append(file, frame...), uint64(len(frame)))
		read(binary.LittleEndian.AppendUint32(file, store.Checksum(file[len(file)-8:])))
		a := newAssembly(span{g.from, g.to}, 10*minute, 0, 0)
		var c *row
		_ = decode(b, func(at int64, v float64) {
			if (at-a.from)%a.step == 0 {
				c = a.set(c, labels.EmptyLabels(), at, v)
			}
		})
		if a.cells > 61 {
			t.Errorf("%d points of 61", a.cells)
		}
	})
}

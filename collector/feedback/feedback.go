// Package feedback keeps what people said of the past: windows of time, of some series or
// of all, that are not learned from. They come from "upid feedback" and from silences of
// Alertmanager that say so, and are kept in one small file, because a silence is forgotten after
// some days and history is not.
package feedback

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/upid/upid/collector/store"
)

// Window is a time that is not learned from.
type Window struct {
	ID     string `json:"id"`     // of its content
	From   int64  `json:"from"`   // Unix milliseconds
	To     int64  `json:"to"`     // after From; the window is [From, To)
	Signal string `json:"signal"` // "": all
	Match  string `json:"match"`  // selector of series, such as {namespace="shop"}; "": all
	Note   string `json:"note"`
	By     string `json:"by"`
	Source string `json:"source"` // cli, or silence and its id

	matchers []*labels.Matcher
}

// Span is a stretch of time [From, To) in Unix milliseconds.
type Span struct{ From, To int64 }

// The sources of windows.
const (
	FromCLI     = "cli"
	FromSilence = "silence "
)

const (
	maxWindows = 10_000
	maxText    = 1 << 10
)

// New returns a window with its identity, checked.
func New(w Window) (Window, error) {
	if w.To <= w.From {
		return w, fmt.Errorf("it ends at %d, before it begins at %d", w.To, w.From)
	}
	if len(w.Match) > maxText || len(w.Note) > maxText || len(w.Signal) > maxText {
		return w, fmt.Errorf("a text of more than %d characters", maxText)
	}
	if err := w.parse(); err != nil {
		return w, err
	}
	of := fmt.Sprintf("%d\xff%s\xff%s", w.From, w.Signal, w.Match)
	if strings.HasPrefix(w.Source, FromSilence) {
		of = w.Source // that may be extended
	} else {
		of += fmt.Sprintf("\xff%d", w.To)
	}
	sum := sha256.Sum256([]byte(of))
	w.ID = hex.EncodeToString(sum[:6])
	return w, nil
}

func (w *Window) parse() error {
	if w.Match == "" {
		return nil
	}
	m, err := parser.NewParser(parser.Options{}).ParseMetricSelector(w.Match)
	if err != nil {
		return fmt.Errorf("%q is no selector such as {namespace=\"shop\"}: %w", w.Match, err)
	}
	w.matchers = m
	return nil
}

// of reports whether w is about a series of a signal; "" is none, for which only windows of
// all signals count.
func (w *Window) of(signal string, ls labels.Labels) bool {
	if w.Signal != "" && w.Signal != signal {
		return false
	}
	for _, m := range w.matchers {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// Windows are those known, by ID.
type Windows []Window

// Of returns when a series of a signal is not learned from, in order.
func (ws Windows) Of(signal string, ls labels.Labels) []Span {
	var out []Span
	for i := range ws {
		if ws[i].of(signal, ls) {
			out = append(out, Span{ws[i].From, ws[i].To})
		}
	}
	slices.SortFunc(out, func(a, b Span) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return out
}

// In reports whether t lies in one of the spans.
func In(spans []Span, t int64) bool {
	return slices.ContainsFunc(spans, func(s Span) bool { return t >= s.From && t < s.To })
}

// File is the windows of a data directory. Other processes may change them meanwhile.
type File struct {
	dir     string
	records *store.Records
}

const kind = "feedback"

// Open returns the file of a data directory, which is sealed if there are keys. It reads
// nothing yet.
func Open(dir string, keys *store.Keys) *File {
	return &File{dir: filepath.Join(dir, kind), records: store.NewRecords(dir, kind, keys)}
}

// Load returns the windows, none if there is no file. Of a damaged file those that can be
// read are returned with the error.
func (f *File) Load() (Windows, error) {
	raw, err := f.records.Load()
	var out Windows
	for _, b := range raw {
		var w Window
		jerr := json.Unmarshal(b, &w)
		if jerr == nil {
			w, jerr = New(w)
		}
		if jerr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w: %w", f.records.Path(), store.ErrDamaged, jerr))
			continue
		}
		out = append(out, w)
	}
	return out, err
}

// Change replaces the windows by what change makes of them, under a lock that other
// processes respect.
func (f *File) Change(change func(Windows) (Windows, error)) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(f.dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("feedback: lock: %w", err)
	}
	ws, err := f.Load()
	if err != nil {
		return err
	}
	if ws, err = change(ws); err != nil {
		return err
	}
	if len(ws) > maxWindows {
		return fmt.Errorf("feedback: more than %d windows; remove old ones", maxWindows)
	}
	records := make([][]byte, len(ws))
	for i, w := range ws {
		if records[i], err = json.Marshal(w); err != nil {
			return err
		}
	}
	return f.records.Save(records)
}

// With returns the windows with one more, or with the one of its ID replaced, and whether
// that changed anything.
func (ws Windows) With(w Window) (Windows, bool) {
	i := slices.IndexFunc(ws, func(o Window) bool { return o.ID == w.ID })
	if i < 0 {
		return append(slices.Clone(ws), w), true
	}
	if ws[i].To == w.To && ws[i].Match == w.Match && ws[i].From == w.From {
		return ws, false
	}
	out := slices.Clone(ws)
	out[i] = w
	return out, true
}

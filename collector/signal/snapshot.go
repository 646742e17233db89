package signal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/coding"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/rules"
)

// A snapshot is its version, the position, the controller, the rollouts, the comparisons of replicas, what became of forecasts and the number of series, then each
// series with its length before it. Whether the bytes are those that were written
// is the keeper's business, whether they belong to these options too.
const snapshotVersion = 9

// StateVersion names the encoding of a snapshot and of all in it. Who keeps snapshots of another one has something
// whole and of no use: it belongs into what they are known by.
func StateVersion() string { return fmt.Sprintf("%d %s", snapshotVersion, detect.StateVersion()) }

// maxRecord bounds what a length may claim: a series takes some 20 KiB.
const maxRecord = 16 << 20

// Snapshot implements pipeline.Stateful.
func (u *Unit) Snapshot(w io.Writer) error {
	b := binary.AppendUvarint(nil, snapshotVersion)
	b = binary.AppendVarint(b, u.position.Load())
	b = coding.AppendBytes(b, u.control.AppendState(nil))
	b = coding.AppendBytes(b, u.deploys.append(nil))
	b = coding.AppendBytes(b, appendKinds(nil, u.kinds))
	b = coding.AppendBytes(b, u.live.append(nil))
	b = binary.AppendUvarint(b, uint64(len(u.order)))
	if _, err := w.Write(b); err != nil {
		return err
	}
	var head []byte
	for _, s := range u.order {
		b = s.append(b[:0])
		head = binary.AppendUvarint(head[:0], uint64(len(b)))
		if _, err := w.Write(head); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// Restore implements pipeline.Stateful.
func (u *Unit) Restore(r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<16)
	version, err := binary.ReadUvarint(in)
	if err != nil || version != snapshotVersion {
		return fmt.Errorf("restore: version %d, want %d (%w)", version, snapshotVersion, orEnd(err))
	}
	position, err1 := binary.ReadVarint(in)
	var buf []byte
	buf, err2 := readRecord(in, buf)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	var control rules.Controller
	if err := control.LoadState(buf); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if buf, err = readRecord(in, buf); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	events, err := readDeploys(buf)
	if err != nil {
		return fmt.Errorf("restore: rollouts: %w", err)
	}
	if buf, err = readRecord(in, buf); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	kinds, err := u.readKinds(buf)
	if err != nil {
		return fmt.Errorf("restore: replicas: %w", err)
	}
	buf, err1 = readRecord(in, buf)
	n, err2 := binary.ReadUvarint(in)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	var became live
	if err := became.load(buf, u.horizonCount()); err != nil {
		return fmt.Errorf("restore: what became of forecasts: %w", err)
	}
	states := make(map[string]*state)
	for range n {
		if buf, err = readRecord(in, buf); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		s, ls, err := u.load(buf)
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		states[string(key(ls, nil))] = s
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("restore: it goes on after the last series")
	}
	u.states, u.order, u.control, u.deploys, u.kinds = states, sorted(states), control, events, kinds
	u.live.until, u.live.active, u.live.shadow = became.until, became.active, became.shadow
	u.live.set(became.state())
	u.position.Store(position)
	return nil
}

// readRecord reads a length and that many bytes into buf.
func readRecord(in *bufio.Reader, buf []byte) ([]byte, error) {
	size, err := binary.ReadUvarint(in)
	if err != nil || size > maxRecord {
		return nil, fmt.Errorf("a record of %d bytes (%w)", size, orEnd(err))
	}
	buf = append(buf[:0], make([]byte, size)...)
	_, err = io.ReadFull(in, buf)
	return buf, err
}

// orEnd names what is wrong with bytes that could be read.
func orEnd(err error) error {
	if err == nil {
		return coding.ErrFields
	}
	return err
}

// append packs the state of a series.
func (s *state) append(b []byte) []byte {
	b = coding.AppendLabels(b, s.labels)
	b = coding.AppendText(b, s.sourceName)
	b = coding.AppendFloat(b, s.value)
	b = binary.AppendVarint(b, s.last)
	b = s.rollout.append(b)
	b = coding.AppendBytes(b, s.peer.AppendState(nil))
	b = s.newborn.append(b)
	b = appendErrors(b, s.warnings)
	b = appendForecast(b, s.forecast)
	b = s.waiting.append(b)
	b = s.below.append(s.above.append(b))
	b = binary.AppendUvarint(b, uint64(len(s.trends)))
	for _, t := range s.trends {
		b = binary.AppendVarint(b, int64(t.Window))
		b = coding.AppendFloat(b, t.Ratio)
	}
	if s.scorer == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	b = coding.AppendBytes(b, s.scorer.AppendState(nil))
	b = coding.AppendBytes(b, s.alert.AppendState(nil))
	b = appendScore(b, s.score)
	b = binary.AppendUvarint(b, uint64(len(s.past)))
	for _, f := range s.past {
		b = appendFinding(b, f)
	}
	return b
}

// load unpacks what append packed and returns it with the labels of the input.
func (u *Unit) load(b []byte) (*state, labels.Labels, error) {
	r := coding.NewReader(b)
	ls := r.Labels()
	if name := r.Text(); name != "" {
		ls = labels.NewBuilder(ls).Set(model.MetricNameLabel, name).Labels()
	}
	s := u.newState(ls)
	s.value, s.last = r.Float(), r.Int()
	s.rollout = readRollout(r)
	peer := r.Bytes()
	s.newborn = readNewborn(r)
	if r.Err() == nil {
		if err := s.peer.LoadState(peer); err != nil {
			return nil, ls, fmt.Errorf("series %s: %w", ls, err)
		}
	}
	s.warnings = readErrors(r)
	s.forecast = readForecast(r)
	s.waiting = readWaiting(r, u.horizonCount())
	s.above, s.below = readBreach(r), readBreach(r)
	for range r.Count(9) {
		s.trends = append(s.trends, series.Trend{Window: time.Duration(r.Int()), Ratio: r.Float()})
	}
	if s.forecast != nil {
		s.forecast.Warnings = s.warnings
	}
	if scored := r.Uint() == 1; scored != (s.scorer != nil) && r.Err() == nil {
		return nil, ls, fmt.Errorf("series %s: scored is %v, the configuration says otherwise", ls, scored)
	}
	if s.scorer != nil {
		scorer, alert := r.Bytes(), r.Bytes()
		s.score = readScore(r)
		n := r.Count(1)
		for range n {
			s.past = append(s.past, readFinding(r))
		}
		if r.Err() == nil {
			if err := errors.Join(s.scorer.LoadState(scorer), s.alert.LoadState(alert)); err != nil {
				return nil, ls, fmt.Errorf("series %s: %w", ls, err)
			}
		}
	}
	if r.Len() > 0 {
		r.Fail()
	}
	return s, ls, r.Err()
}

func appendForecast(b []byte, f *series.Forecast) []byte {
	if f == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	b = binary.AppendVarint(b, f.Start)
	b = binary.AppendVarint(b, f.Step)
	for _, vs := range [][]float64{f.Point, f.Lower, f.Upper, {f.Level, f.Coverage, f.Confidence}} {
		b = coding.AppendFloats(b, vs)
	}
	b = coding.AppendText(b, f.Model)
	b = binary.AppendUvarint(b, uint64(len(f.Members)))
	for _, m := range f.Members {
		b = coding.AppendText(b, m.Name)
		b = coding.AppendFloat(b, m.Weight)
	}
	a := f.Accuracy
	b = coding.AppendFloats(b, []float64{a.MASE, a.NaiveMASE, a.Skill, a.Coverage})
	return binary.AppendVarint(b, int64(a.Origins))
}

func readForecast(r *coding.Reader) *series.Forecast {
	if r.Uint() == 0 {
		return nil
	}
	f := &series.Forecast{Band: series.Band{
		Start: r.Int(), Step: r.Int(), Point: r.Floats(), Lower: r.Floats(), Upper: r.Floats(),
		Level: math.NaN(), Coverage: math.NaN(),
	}}
	if n := r.Count(8); n == 3 {
		f.Level, f.Coverage, f.Confidence = r.Float(), r.Float(), r.Float()
	} else {
		r.Fail()
	}
	if f.Step <= 0 || len(f.Lower) != len(f.Point) || len(f.Upper) != len(f.Point) {
		r.Fail()
	}
	f.Model = r.Text()
	for range r.Count(9) {
		f.Members = append(f.Members, series.Member{Name: r.Text(), Weight: r.Float()})
	}
	if n := r.Count(8); n == 4 {
		f.Accuracy = series.Accuracy{MASE: r.Float(), NaiveMASE: r.Float(), Skill: r.Float(), Coverage: r.Float(), Origins: 0}
	} else {
		r.Fail()
	}
	f.Accuracy.Origins = int(r.Int())
	return f
}

func appendScore(b []byte, s series.Score) []byte {
	for _, v := range []float64{s.Observed, s.Expected, s.Lower, s.Upper, s.Value, s.Confidence} {
		b = coding.AppendFloat(b, v)
	}
	b = coding.AppendText(b, s.Type)
	w := s.Why
	b = coding.AppendText(b, w.View)
	for _, v := range []float64{w.Value, w.Limit, w.Deviation, w.Usual, w.Days} {
		b = coding.AppendFloat(b, v)
	}
	return binary.AppendVarint(b, int64(w.Peers))
}

func readScore(r *coding.Reader) series.Score {
	return series.Score{
		Observed: r.Float(), Expected: r.Float(), Lower: r.Float(), Upper: r.Float(), Value: r.Float(), Confidence: r.Float(),
		Type: r.Text(),
		Why:  series.Why{View: r.Text(), Value: r.Float(), Limit: r.Float(), Deviation: r.Float(), Usual: r.Float(), Days: r.Float(), Peers: int(r.Int())},
	}
}

func appendFinding(b []byte, f series.Finding) []byte {
	for _, s := range []string{f.ID, f.Family, f.Type, f.Reclassified, f.Severity} {
		b = coding.AppendText(b, s)
	}
	b = binary.AppendVarint(b, f.Start)
	b = binary.AppendVarint(b, f.End)
	b = coding.AppendFloat(b, f.Peak)
	b = appendScore(b, f.Worst)
	b = binary.AppendVarint(b, f.WorstAt)
	b = coding.AppendFloat(b, f.Confidence)
	b = appendScore(b, f.Score)
	stale := byte(0)
	if f.Stale {
		stale = 1
	}
	return append(b, stale)
}

func readFinding(r *coding.Reader) series.Finding {
	return series.Finding{
		ID: r.Text(), Family: r.Text(), Type: r.Text(), Reclassified: r.Text(), Severity: r.Text(),
		Start: r.Int(), End: r.Int(), Peak: r.Float(), Worst: readScore(r), WorstAt: r.Int(), Confidence: r.Float(), Score: readScore(r), Stale: r.Uint() == 1, Group: "", Threat: nil, Note: nil,
	}
}

// appendErrors packs what errors say; what they are is lost.
func appendErrors(b []byte, errs []error) []byte {
	b = binary.AppendUvarint(b, uint64(len(errs)))
	for _, err := range errs {
		b = coding.AppendText(b, err.Error())
	}
	return b
}

func readErrors(r *coding.Reader) []error {
	var out []error
	for range r.Count(1) {
		out = append(out, errors.New(r.Text()))
	}
	return out
}

var _ pipeline.Stateful = (*Unit)(nil)

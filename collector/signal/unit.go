// Package signal is the unit behind one configured signal: every series of one
// PromQL expression is forecast by a fit, scored point by point, and followed
// through the life of its anomalies.
//
// State is a function of data: a fit replays, from empty state, the stretch of
// history that the scorer can still feel, and the steps go on from there. So a
// restart changes nothing and replicas agree.
package signal

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules"
)

// Input is the name of the one query a signal has.
const Input = "value"

const (
	// replay is how much history a fit replays: almost three half-lives (5 d) of
	// the scorer's slowest memory, so that a point before it weighs under 1/7.
	replay = 14 * 24 * time.Hour
	// forgetAfter is how long a series may be absent before its state goes.
	forgetAfter = 24 * time.Hour
	// leastHistory is what a forecast of a day or more needs; a shorter one needs as
	// much as it looks ahead. With less there is none: absent beats wrong.
	leastHistory = 24 * time.Hour
	// maxPast bounds the closed findings on record of one series.
	maxPast = 16
)

// Options are a signal's settings.
type Options struct {
	Name     string
	Type     string // resource, performance, cost, security or behavior
	Step     time.Duration
	FitEvery time.Duration
	Location *time.Location     // for seasons; nil is UTC
	Events   []forecast.Event   // what makes days unlike others, for forecasts
	Forecast *Forecast          // nil: not forecast
	Detect   *Detect            // nil: not scored
	Breach   *Breach            // limits of the forecast; nil: none
	Rollouts *Rollouts          // nil: nothing is known of them
	Quiet    func(t int64) bool // whether no finding opens at t, Unix milliseconds; nil is never
	Workers  int                // series worked on at once; default GOMAXPROCS
}

// Forecast says how series are forecast.
type Forecast struct {
	Model    forecast.Forecaster
	Horizons []time.Duration // ascending, not empty
	Level    float64
	Max      *float64 // the most that can be; nil: no limit is known
	// Fallback forecasts while Model has proved worse than naive; nil: nothing is
	// demoted.
	Fallback forecast.Forecaster
}

// Detect says how series are scored and when a run of scores is an anomaly.
type Detect struct {
	Model   string
	Options detect.Options
	Rule    rules.Rule
	Budget  rules.Budget
}

// Unit implements pipeline.Unit.
type Unit struct {
	o        Options
	position atomic.Int64
	states   map[string]*state // by the labels' bytes
	order    []*state          // sorted by labels, so that results have one order
	control  rules.Controller  // of the alert budget
	deploys  deploys
	kinds    map[string]*detect.Peers // comparisons of replicas, by kind
	live     live
	excluded func(signal string, ls labels.Labels) []feedback.Span // nil: nothing is
}

// Exclude says when a series is not learned from; before the unit is used. What is excluded
// and over is as if it had not been measured: a fit leaves it out of the history of forecasts, and
// out of what the scorer learns.
func (u *Unit) Exclude(when func(signal string, ls labels.Labels) []feedback.Span) { u.excluded = when }

// spans returns when y is not learned from.
func (u *Unit) spans(ls labels.Labels) []feedback.Span {
	if u.excluded == nil {
		return nil
	}
	return u.excluded(u.o.Name, labels.NewBuilder(ls).Del(model.MetricNameLabel).Labels())
}

// without returns y with gaps where spans are. y is not changed.
func without(y series.Series, spans []feedback.Span) series.Series {
	if len(spans) == 0 {
		return y
	}
	y.Values = slices.Clone(y.Values)
	for i := range y.Values {
		if feedback.In(spans, y.At(i)) {
			y.Values[i] = math.NaN()
		}
	}
	return y
}

// over returns the spans that ended by a time: what goes on is scored as it comes.
func over(spans []feedback.Span, end int64) []feedback.Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s feedback.Span) bool { return s.To > end })
}

// state is what is known about one series.
type state struct {
	labels     labels.Labels // without __name__
	sourceName string
	workload   string // see workloadKey
	group      string // whose anomalies of one time are one alert: the workload, or the series itself
	kind       string // of which it is one of many replicas, see peerKey; "" if none

	forecast *series.Forecast // nil: none
	warnings []error          // of the fit
	trends   []series.Trend   // of the fit
	waiting  waiting          // published forecasts to be judged
	fresh    waiting          // of a fit whose forecasts no step has published yet

	scorer detect.Scorer // nil: not scored
	alert  rules.Alert
	score  series.Score
	past   []series.Finding // closed findings on record, oldest first; shared with results

	rollout rollout
	peer    detect.Peer
	newborn newborn

	above, below breach // of the limits of the forecast

	value float64 // at the newest grid point; NaN = missing
	last  int64   // grid time of the newest value
}

// ErrNoData says that the query answered with nothing to learn from. A model that
// was there before stays in use.
var ErrNoData error = noData{}

type noData struct{}

func (noData) Error() string         { return "no data: the query has no series with a recent value" }
func (noData) FailureReason() string { return "no_data" }

// New checks the options.
func New(o Options) (*Unit, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	switch {
	case o.Step <= 0 || o.FitEvery <= 0:
		return nil, fmt.Errorf("signal %q: step %v and fit interval %v, want both above 0", o.Name, o.Step, o.FitEvery)
	case o.Forecast == nil && o.Detect == nil:
		return nil, fmt.Errorf("signal %q: neither forecast nor scored", o.Name)
	case o.Forecast != nil && (o.Forecast.Model == nil || len(o.Forecast.Horizons) == 0):
		return nil, fmt.Errorf("signal %q: a forecast needs a model and a horizon", o.Name)
	}
	if o.Breach != nil {
		if err := o.Breach.valid(o.Forecast); err != nil {
			return nil, fmt.Errorf("signal %q: %w", o.Name, err)
		}
	}
	if o.Detect != nil {
		if _, err := detect.New(o.Detect.Model, o.Detect.Options); err != nil {
			return nil, fmt.Errorf("signal %q: %w", o.Name, err)
		}
	}
	return &Unit{o: o, states: map[string]*state{}, kinds: map[string]*detect.Peers{}}, nil
}

// Position implements pipeline.Unit.
func (u *Unit) Position() int64 { return u.position.Load() }

// newState returns the empty state of a series with the labels ls.
func (u *Unit) newState(ls labels.Labels) *state {
	s := &state{
		labels:     labels.NewBuilder(ls).Del(model.MetricNameLabel).Labels(),
		sourceName: ls.Get(model.MetricNameLabel),
		workload:   workloadKey(ls),
		group:      groupKey(ls),
		kind:       kindOf(ls),
		score:      series.Score{Observed: math.NaN(), Expected: math.NaN(), Lower: math.NaN(), Upper: math.NaN(), Value: math.NaN(), Confidence: 0, Type: "", Why: series.Why{}},
		value:      math.NaN(),
		rollout:    rollout{at: 0, revision: "", level: math.NaN(), before: math.NaN(), sum: 0, n: 0, settled: series.Mean{}, square: series.Mean{}, based: false},
	}
	if d := u.o.Detect; d != nil {
		scorer, err := detect.New(d.Model, d.Options)
		if err != nil {
			panic(err) // New made one with the same options
		}
		s.scorer = scorer
	}
	return s
}

// point is what there is to know about one grid point of one series.
type point struct {
	t        int64
	value    float64           // NaN = missing
	replaced bool              // another series of the same workload has a value: pods that come and go are no missing data
	unlike   *detect.Unlike    // how it compares with its peers; nil: not compared
	control  *rules.Controller // what it takes to spend the budget
	of       []deploy          // the rollouts of the series
	excluded bool              // it is not learned from
}

// observe takes in a grid point of s.
func (u *Unit) observe(s *state, p point) {
	t, v := p.t, p.value
	s.value = v
	if p.excluded {
		if s.last != 0 {
			s.last = t
		}
		return
	}
	if u.o.Rollouts != nil {
		s.rollout.observe(t, v, u.o.Step, p.of)
	}
	if !math.IsNaN(v) {
		s.last = t
	} else if p.replaced || s.last == 0 {
		return
	}
	if s.scorer == nil {
		return
	}
	if s.newborn.young {
		s.newborn.observe(t, v, u.o.Step.Milliseconds())
		s.scorer.Step(t, v)
		s.score = unscored(v)
		return
	}
	ease, cause := u.ease(s, t, v), u.suspicion(s, t)
	quiet := u.o.Quiet != nil && u.o.Quiet(t)
	if quiet {
		cause = max(cause, 1)
	}
	detect.Caused(s.scorer, cause)
	score := s.scorer.Step(t, v)
	if p.unlike != nil {
		score = p.unlike.Judge(u.o.Detect.Options, score)
	}
	score.Confidence *= s.newborn.trust(t)
	s.score = p.control.Calibrate(score)
	was := s.alert.Resolved
	rule := u.o.Detect.Rule
	rule.Ease, rule.Quiet = ease, quiet
	s.alert = rule.Next(s.alert, s.score, t)
	if u.o.Rollouts != nil {
		u.rebase(s, t, v)
	}
	if f := s.alert.Resolved; f != nil && f != was {
		s.record(u.identify(s, *f))
	}
}

// record puts a closed finding on record, once.
func (s *state) record(f series.Finding) {
	for _, p := range s.past {
		if p.ID == f.ID {
			return
		}
	}
	s.past = append(slices.Clone(s.past[max(0, len(s.past)-maxPast+1):]), f) // results share the old one
}

// identify gives a finding of s its identity and family.
func (u *Unit) identify(s *state, f series.Finding) series.Finding {
	f.Family = rules.Family(u.o.Type, f.Type)
	f.ID = rules.FindingID(u.o.Name, s.labels, f.Type, f.Start)
	return f
}

// volatile labels name one incarnation of a workload's replica.
var volatile = map[string]bool{
	"pod": true, "pod_name": true, "pod_ip": true, "pod_uid": true, "uid": true, "instance": true, "node": true,
	"container_id": true, "id": true, "name": true, "image": true, "image_id": true, "host_ip": true,
}

// workloadKey identifies the workload a series belongs to: its labels without
// those that change from one pod to the next. A series without a pod label is
// its own workload.
func workloadKey(ls labels.Labels) string {
	pod := isPod(ls)
	var b strings.Builder
	ls.Range(func(l labels.Label) {
		if pod && volatile[l.Name] {
			return
		}
		b.WriteString(l.Name)
		b.WriteByte(0xff)
		b.WriteString(l.Value)
		b.WriteByte(0xff)
	})
	return b.String()
}

// groupKey identifies whose anomalies of one time are one alert.
func groupKey(ls labels.Labels) string {
	if w, ok := rules.Workload(ls); ok {
		return w
	}
	return string(ls.Bytes(nil))
}

// key identifies a series among those of one query.
func key(ls labels.Labels, buf []byte) []byte { return ls.Bytes(buf) }

// parallel calls f for 0 … n-1 on up to workers goroutines and stops when ctx is
// done. f gets the number of its worker.
func parallel(ctx context.Context, n, workers int, f func(worker, i int)) error {
	workers = min(workers, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	panics := make(chan any, max(workers, 1))
	for w := range workers {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					panics <- r // to be raised where the pipeline recovers it
				}
			}()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(w, i)
			}
		})
	}
	wg.Wait()
	select {
	case r := <-panics:
		panic(r)
	default:
		return ctx.Err()
	}
}

var _ pipeline.Unit = (*Unit)(nil)

// sorted returns the states in the order of their labels.
func sorted(states map[string]*state) []*state {
	out := make([]*state, 0, len(states))
	for _, s := range states {
		out = append(out, s)
	}
	slices.SortFunc(out, compareStates)
	return out
}

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/presets"
)

// picture is what the dashboard shows: what a sidecar said when it last answered,
// and how it is to be reached.
type picture struct {
	base        string
	doubt       string // why another sidecar may be meant; "" is no doubt
	every       time.Duration
	loc         *time.Location
	status      runtimeStatus
	signals     []views.SignalStatus
	anomalies   []views.Anomaly
	found       int // anomalies in all
	predictions []views.Prediction
	expected    int // predictions in all

	lost    time.Time // of the first question in a row without an answer
	problem error     // of the newest one
}

// frame returns the picture as lines of at most width columns, or as long as they
// are if the style is Whole: height of them at most, or as many as there are if it is 0.
func (p *picture) frame(st output.Style, width, height int) []string {
	columns := sparkWidth(width)
	room, at := height, width
	if st.Whole {
		width = endless
	}
	lines := append(p.head(st, width, at, height), p.notices(st, width, height)...)
	sections := []section{p.signalRows(st), p.anomalyRows(st, columns), p.predictionRows(st, columns)}
	wants := make([]int, len(sections))
	room -= len(lines)
	for i, s := range sections {
		wants[i] = len(s.rows)
		room -= 2 // a blank line and the heading
	}
	if height == 0 {
		room = 1 << 20
	}
	for i, n := range share(room, wants) {
		s := sections[i]
		if s.total > n && n > 1 && height > 0 {
			n-- // for the line that says so
		}
		lines = append(lines, "")
		lines = append(lines, layout(width, st.Dim, s.columns, s.pick(n))...)
		if more := s.total - n; more > 0 && (n > 0 || height == 0) {
			lines = append(lines, st.Dim(output.Cut(fmt.Sprintf("%s more%s", output.Count(more), s.where), width)))
		}
	}
	if height > 0 && len(lines) > height {
		lines = lines[:height]
	}
	return lines
}

// endless is the width of a line that is not cut.
const endless = 1 << 20

// head is two lines about the process and the world around it. The clock ends at
// column at, where there is room.
func (p *picture) head(st output.Style, width, at, height int) []string {
	s := &p.status
	left := []piece{{"upid " + s.Version, st.Bold}, {p.base, st.Dim}}
	right := fmt.Sprintf("%s  every %s  q quits", p.clock(s.Now), output.Span(p.every))
	if height == 0 {
		right = output.Timestamp(int64(s.Now)*1000, p.loc)
	}
	first := line(width, left...)
	if gap := at - left[0].width() - 2 - left[1].width() - len(right); gap >= 2 {
		first += strings.Repeat(" ", gap) + st.Dim(right)
	}
	up := piece{"prometheus " + s.Upstream.State, st.Good}
	switch s.Upstream.State {
	case "failing":
		up.paint = st.Alarm
	case "ok":
	default:
		up.paint = st.Caution
	}
	queue := piece{fmt.Sprintf("queue %s/%s", output.Count(s.Queue.Length), output.Count(s.Queue.Capacity)), nil}
	if s.Queue.Capacity > 0 && 2*s.Queue.Length > s.Queue.Capacity {
		queue.paint = st.Caution
	}
	return []string{first, line(width, up, p.alertmanagers(st), queue,
		piece{"memory " + rules.Quantity(float64(s.HeapBytes), "bytes"), nil},
		piece{"up " + output.Span(time.Duration(s.Now-s.StartTime)*time.Second), nil})}
}

func (p *picture) alertmanagers(st output.Style) piece {
	n, failing, quiet := len(p.status.Alertmanagers), 0, 0
	for _, a := range p.status.Alertmanagers {
		switch a.State {
		case "failing":
			failing++
		case "ok":
		default:
			quiet++
		}
	}
	all := plural(n, "alertmanager", "alertmanagers")
	switch {
	case n == 0:
		return piece{"no alertmanager", st.Dim}
	case failing > 0:
		return piece{fmt.Sprintf("%d of %s failing", failing, all), st.Alarm}
	case quiet > 0:
		return piece{all + ", nothing posted yet", st.Dim}
	}
	return piece{all + " ok", st.Good}
}

// notices are lines about what is wrong, the worst first: two on a small screen.
func (p *picture) notices(st output.Style, width, height int) []string {
	s := &p.status
	var out []string
	add := func(paint func(string) string, what, why string) {
		out = append(out, line(width, piece{what, paint}, piece{why, st.Dim}))
	}
	switch {
	case p.problem != nil && !p.lost.IsZero():
		add(st.Alarm, fmt.Sprintf("sidecar not reachable since %s; below is what it said last", p.lost.In(p.loc).Format(time.TimeOnly)), p.problem.Error())
	case p.problem != nil:
		add(st.Alarm, p.problem.Error(), "")
	}
	if p.doubt != "" {
		add(st.Caution, "perhaps another sidecar than the one meant", p.doubt)
	}
	if s.Upstream.State == "failing" {
		since := ""
		if s.Upstream.Since != nil {
			since = " since " + p.clock(*s.Upstream.Since)
		}
		add(st.Alarm, "prometheus failing"+since, s.Upstream.Error)
	}
	if !s.ReloadOK {
		add(st.Caution, "the newest configuration is refused, the one before is in use", "upid check says why")
	}
	for _, a := range s.Alertmanagers {
		if a.State == "failing" {
			add(st.Alarm, a.URL+" failing", a.Error)
		}
	}
	var waiting []string
	for _, x := range p.signals {
		if x.State == "waiting" {
			waiting = append(waiting, x.Name)
			continue
		}
		for _, pass := range []string{"fit", "score"} {
			if why := x.Passes[pass].Error; why != "" {
				add(st.Alarm, x.Name+" failing", pass+": "+why)
			}
		}
	}
	if n := len(waiting); n > 0 {
		add(st.Caution, plural(n, "signal waits", "signals wait")+" for data", "their queries have no series yet: "+strings.Join(waiting, ", "))
	}
	var spent []string
	for _, x := range p.signals {
		if x.BudgetSpent != nil && *x.BudgetSpent > 1 {
			spent = append(spent, fmt.Sprintf("%s %s of %s", x.Name, percentOf(x.BudgetSpent), x.Budget))
		}
	}
	if n := len(spent); n > 0 {
		add(st.Caution, plural(n, "signal", "signals")+" raised more alerts than budgeted", strings.Join(spent, ", "))
	}
	if most := max(2, height/8); height > 0 && len(out) > most {
		out = out[:most]
	}
	return out
}

// clock returns a time of day.
func (p *picture) clock(unix float64) string {
	return time.UnixMilli(int64(unix * 1000)).In(p.loc).Format(time.TimeOnly)
}

// section is a table of the picture.
type section struct {
	columns []column
	rows    [][]piece
	groups  []int  // how many rows belong together; nil is each
	total   int    // how many rows there are, with those that were not asked for
	where   string // to find the others
}

// pick returns n rows, of each group as many as of the others.
func (s *section) pick(n int) [][]piece {
	if s.groups == nil {
		return s.rows[:n]
	}
	var out [][]piece
	first := 0
	for i, k := range share(n, s.groups) {
		out = append(out, s.rows[first:first+k]...)
		first += s.groups[i]
	}
	return out
}

func (p *picture) signalRows(st output.Style) section {
	s := section{columns: []column{
		{p.counted(), false, 0, true},
		{"STATE", false, 0, false},
		{"SERIES", true, 3, false},
		{"FORECAST", true, 5, false},
		{"SCORED", true, 6, false},
		{"OPEN", true, 1, false},
		{"BUDGET", true, 7, false},
		{"SKILL", true, 4, false},
		{"INSIDE", true, 8, false},
		{"CONF", true, 2, false},
		{"LAST", false, 9, false},
	}, total: len(p.signals)}
	order := []string{"failing", "stale", "waiting", "learning", "active"}
	signals := slices.Clone(p.signals)
	slices.SortStableFunc(signals, func(a, b views.SignalStatus) int {
		return cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State))
	})
	paints := map[string]func(string) string{"failing": st.Alarm, "stale": st.Caution, "waiting": st.Caution, "learning": st.Accent, "active": st.Good}
	for _, x := range signals {
		last := "-"
		if x.Slot != nil {
			last = p.clock(*x.Slot)
		}
		open := piece{output.Count(x.Open), nil}
		if x.Open > 0 {
			open.paint = st.Alarm
		}
		s.rows = append(s.rows, []piece{
			{x.Name, st.Bold},
			{x.State, paints[x.State]},
			{output.Count(x.Series), nil},
			{output.Count(x.Forecast), nil},
			{output.Count(x.Scored), nil},
			open,
			{percentOf(x.BudgetSpent), nil},
			{percentOf(x.Skill), nil},
			{percentOf(x.Coverage), nil},
			{score(x.Confidence), nil},
			{last, st.Dim},
		})
	}
	return s
}

// counted says how many signals there are, and how many tasks that upid adds to
// those of the configuration: recommendations and threats.
func (p *picture) counted() string {
	tasks := 0
	for _, s := range p.signals {
		if isTask(s.Name) {
			tasks++
		}
	}
	head := plural(len(p.signals)-tasks, "SIGNAL", "SIGNALS")
	if tasks > 0 {
		head += ", " + plural(tasks, "TASK", "TASKS")
	}
	return head
}

// isTask reports whether name is no signal of the configuration.
func isTask(name string) bool {
	preset, of := strings.CutPrefix(name, threatTask(""))
	return slices.Contains(adviceNames, name) || name == rollUpSignal || of && slices.Contains(presets.Threats(), preset)
}

func percentOf(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100**v)
}

// sparkWidth returns how wide a sparkline is on a screen.
func sparkWidth(width int) int { return min(max(8, width/10), 24) }

func (p *picture) anomalyRows(st output.Style, columns int) section {
	s := section{columns: []column{
		{"ANOMALIES", false, 0, false},
		{"SIGNAL", false, 0, true},
		{"TYPE", false, 1, false},
		{"LASTED", false, 2, false},
		{"SCORE", true, 3, false},
		{"OBSERVED", true, 7, false},
		{"EXPECTED", true, 8, false},
		{"NOW", true, 6, false},
		{"RECENT", false, 5, false},
		{"SERIES", false, 4, true},
	}, total: p.found, where: ": upid anomalies"}
	as := slices.Clone(p.anomalies)
	slices.SortStableFunc(as, func(a, b views.Anomaly) int { return rank(&a) - rank(&b) })
	for i := range as {
		a := &as[i]
		paint := map[string]func(string) string{series.SeverityCritical: st.Alarm, series.SeverityWarning: st.Caution}[a.Severity]
		text, long, fade := "● "+a.Severity, "open "+output.Span(time.Duration(p.status.Now-a.StartedAt)*time.Second), paint
		if a.EndedAt != nil {
			text, long, fade = "○ "+a.Severity, output.Span(time.Duration(*a.EndedAt-a.StartedAt)*time.Second), st.Dim
		}
		s.rows = append(s.rows, []piece{
			{text, fade},
			{a.Signal, st.Bold},
			{a.Type, nil},
			{long, nil},
			{score(a.Score), nil},
			{quantity(a.Observed, a.Unit), nil},
			{quantity(a.Expected, a.Unit), st.Dim},
			{quantity(newestPoint(a), a.Unit), nil},
			{recentSpark(a.Path, columns), st.Accent},
			{pairs(a.Labels, nil), st.Dim},
		})
	}
	return s
}

// newestPoint returns the newest value of the series of an open anomaly, nil if it is not
// known: OBSERVED is of the point that stood out most, and a disk fills on.
func newestPoint(a *views.Anomaly) *float64 {
	if a.EndedAt != nil || a.Stale || len(a.Path) == 0 {
		return nil
	}
	return a.Path[len(a.Path)-1]
}

// rank puts open ones first, and of those the severest.
func rank(a *views.Anomaly) int {
	if a.EndedAt != nil {
		return len(series.Severities)
	}
	return len(series.Severities) - 1 - slices.Index(series.Severities, a.Severity)
}

func (p *picture) predictionRows(st output.Style, columns int) section {
	s := section{columns: []column{
		{"PREDICTIONS", false, 0, true},
		{"SERIES", false, 1, true},
		{"IN", true, 0, false},
		{"NOW", true, 5, false},
		{"VALUE", true, 0, false},
		{"INTERVAL", false, 3, false},
		{"CONF", true, 2, false},
		{"NEXT", false, 4, false},
	}, total: p.expected, where: ": upid predictions"}
	before, names := "", naming{}
	for i, x := range p.predictions {
		if x.Signal != before {
			before = x.Signal
			end := i
			for end < len(p.predictions) && p.predictions[end].Signal == before {
				end++
			}
			s.groups = append(s.groups, end-i)
			names = nameSeries(p.predictions[i:end])
		}
		way := x.Path
		if x.Observed != nil {
			way = append([]*float64{x.Observed}, way...)
		}
		s.rows = append(s.rows, []piece{
			{x.Signal, st.Bold},
			{names.of(x.Labels), st.Dim},
			{x.Horizon, nil},
			{quantity(x.Observed, x.Unit), st.Dim},
			{quantity(x.Value, x.Unit), nil},
			{interval(x.Lower, x.Upper, x.Unit), nil},
			{score(x.Confidence), nil},
			{spark(way, columns), st.Accent},
		})
	}
	return s
}

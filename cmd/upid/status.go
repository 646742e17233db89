package main

import (
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/upid/upid/collector/web"
)

// runtimeStatus is how the process is doing, for /api/v1/status/runtime and the
// live view.
type runtimeStatus struct {
	Version       string         `json:"version"`
	StartTime     float64        `json:"start_time"` // Unix seconds
	Now           float64        `json:"now"`
	GoMaxProcs    int            `json:"go_max_procs"`
	Goroutines    int            `json:"goroutines"`
	HeapBytes     uint64         `json:"heap_bytes"`
	Configuration string         `json:"configuration"` // file; "" is none
	ReloadOK      bool           `json:"reload_successful"`
	Heartbeat     float64        `json:"scheduler_heartbeat"`
	Queue         queueStatus    `json:"queue"`
	Upstream      upstreamStatus `json:"upstream"`
	Alertmanagers []amStatus     `json:"alertmanagers"`
	Threats       bool           `json:"threats_configured"` // the configuration has the key threats
}

type queueStatus struct {
	Length   int `json:"length"`
	Capacity int `json:"capacity"`
}

type upstreamStatus struct {
	URL   string   `json:"url"`
	State string   `json:"state"` // ok, failing, not asked yet or stopped
	Error string   `json:"error,omitempty"`
	Since *float64 `json:"since,omitempty"`
}

type amStatus struct {
	URL   string `json:"url"`
	State string `json:"state"` // ok, failing or nothing posted yet
	Error string `json:"error,omitempty"`
}

// statusRoutes are the routes under /api/v1/status.
func (s *sidecar) statusRoutes() []web.Route {
	get := []string{http.MethodGet}
	answer := func(data func() (any, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			d, err := data()
			if err != nil {
				web.Refuse(w, http.StatusInternalServerError, "internal", err)
				return
			}
			web.Answer(w, d, web.Page{})
		}
	}
	return []web.Route{
		{Path: "/api/v1/status/buildinfo", Methods: get, Role: web.Viewer, Name: "api_status_buildinfo", About: "", Data: buildInfo{}, Serve: answer(func() (any, error) { return build(), nil })},
		{Path: "/api/v1/status/config", Methods: get, Role: web.Viewer, Name: "api_status_config", About: "The configuration in use, with its defaults", Serve: answer(func() (any, error) {
			s.reload.Lock()
			defer s.reload.Unlock()
			text, err := s.running.Show()
			return map[string]string{"yaml": text}, err
		})},
		{Path: "/api/v1/status/flags", Methods: get, Role: web.Viewer, Name: "api_status_flags", About: "", Data: map[string]any{}, Serve: answer(func() (any, error) { return s.flags.shown(), nil })},
		{Path: "/api/v1/status/threats", Methods: get, Role: web.Viewer, Name: "api_status_threats", About: "What is watched for attacks, and by which entity", Serve: answer(func() (any, error) { return s.threatStatuses(), nil })},
		{Path: "/api/v1/status/runtime", Methods: get, Role: web.Viewer, Name: "api_status_runtime", Data: runtimeStatus{}, About: "How the process is doing", Serve: answer(func() (any, error) { return s.runtimeStatus(), nil })},
	}
}

// shown returns the flags by name.
func (c *startCmd) shown() map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("name")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		switch x := v.Field(i).Interface().(type) {
		case time.Duration:
			out[name] = x.String()
		case bareSeconds:
			out[name] = time.Duration(x).String()
		case bareMinutes:
			out[name] = time.Duration(x).String()
		default:
			out[name] = x
		}
	}
	return out
}

func (s *sidecar) runtimeStatus() runtimeStatus {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	n, c := s.pipeline.Queue()
	out := runtimeStatus{
		Version: build().Version, StartTime: unix(s.started), Now: unix(time.Now()),
		GoMaxProcs: runtime.GOMAXPROCS(0), Goroutines: runtime.NumGoroutine(), HeapBytes: mem.HeapAlloc,
		Configuration: s.name, ReloadOK: s.reloadOK.Load(), Heartbeat: unix(s.pipeline.Heartbeat()),
		Queue: queueStatus{n, c}, Upstream: s.upstream.report(), Alertmanagers: []amStatus{}, Threats: s.hasThreats.Load(),
	}
	for _, a := range s.notifier.Status() {
		st := amStatus{URL: a.URL, State: "ok"}
		switch {
		case a.Failing():
			st.State, st.Error = "failing", a.LastError
		case a.LastSuccess.IsZero():
			st.State = "nothing posted yet"
		}
		out.Alertmanagers = append(out.Alertmanagers, st)
	}
	return out
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

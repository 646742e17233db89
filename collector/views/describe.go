package views

import (
	"strings"

	"github.com/upid/upid/collector/web"
)

// descriptions are what OpenAPI says of a route by its name: a value of the type of its
// data, and its parameters. A test holds them to what the route knows.
var descriptions = map[string]struct {
	data  any
	query string
}{
	"api_signals":         {[]SignalStatus{}, "offset limit"},
	"api_signal":          {SignalStatus{}, ""},
	"api_signal_series":   {[]Prediction{}, "label offset limit"},
	"api_predictions":     {[]Prediction{}, "model_type signal horizon confidence label past offset limit"},
	"api_recommendations": {[]map[string]any{}, "optimization_type kind state namespace confidence offset limit"},
	"api_anomalies":       {[]Anomaly{}, "family type severity signal state since label offset limit"},
	"api_threats":         {[]Threat{}, "threat severity signal entity entity_type state since label offset limit"},
	"api_threats_purge":   {Purged{}, "entity"},
}

// described adds to routes what OpenAPI says of them.
func described(routes []web.Route) []web.Route {
	for i := range routes {
		if d, ok := descriptions[routes[i].Name]; ok {
			routes[i].Data, routes[i].Query = d.data, strings.Fields(d.query)
		}
	}
	return routes
}

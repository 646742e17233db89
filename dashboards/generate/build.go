package main

import (
	"fmt"
	"maps"
)

// object is a JSON object of Grafana's dashboard schema, version 42 (Grafana 13).
type object = map[string]any

type list = []any

// source is the data source of every query: the one chosen at the top of the
// dashboard.
var source = object{"type": "prometheus", "uid": "${datasource}"}

// The uids are part of the addresses of the dashboards, which people bookmark.
const (
	businessUID        = "upid-business"
	capacityUID        = "upid-capacity"
	modelsUID          = "upid-models"
	recommendationsUID = "upid-recommendations"
	overviewUID        = "upid-overview"
	signalUID          = "upid-signal"
	threatsUID         = "upid-threats"
)

func dashboard(uid, title, description, from, to string, variables, annotations, panels list, links ...any) object {
	return object{
		"uid": uid, "title": title, "description": description, "tags": list{"upid"},
		"schemaVersion": 42, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "1m", "timezone": "browser",
		"time": object{"from": from, "to": to}, "timepicker": object{},
		"annotations": object{"list": annotations}, "templating": object{"list": variables},
		"links": links, "panels": panels,
	}
}

func dashboardLink(title, url, tooltip string) object {
	return object{
		"type": "link", "title": title, "url": url, "tooltip": tooltip, "icon": "dashboard",
		"tags": list{}, "asDropdown": false, "includeVars": false, "keepTime": false, "targetBlank": false,
	}
}

// Variables.

func datasourceVariable() object {
	return object{
		"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "regex": "",
		"description": "The Prometheus that scrapes upid.",
		"refresh":     1, "hide": 0, "includeAll": false, "multi": false, "options": list{}, "current": object{"text": "", "value": ""},
	}
}

// queryVariable is filled by a query. sort is 1 for alphabetical, 7 for natural
// order and 0 for that of the answer.
func queryVariable(name, label, description, query string, sort int, current any) object {
	return object{
		"type": "query", "name": name, "label": label, "description": description, "datasource": source,
		"query": query, "regex": "", "refresh": 2, "sort": sort, "hide": 0, "includeAll": false, "multi": false, "options": list{},
		"current": object{"text": current, "value": current},
	}
}

// many lets several values be chosen, all of them at first.
func many(v object, allValue string) object {
	v["multi"], v["includeAll"] = true, true
	if allValue != "" {
		v["allValue"] = allValue
	}
	v["current"] = object{"text": list{"All"}, "value": list{"$__all"}}
	return v
}

func customVariable(name, label, description, current string, values ...string) object {
	query, options := "", list{}
	for i, v := range values {
		if i > 0 {
			query += ","
		}
		query += v
		options = append(options, object{"text": v, "value": v, "selected": v == current})
	}
	return object{
		"type": "custom", "name": name, "label": label, "description": description, "query": query, "options": options,
		"hide": 0, "includeAll": false, "multi": false, "current": object{"text": current, "value": current},
	}
}

// Queries.

// over is a query over the time range.
func over(refID, legend, expr string) object {
	return object{"refId": refID, "datasource": source, "expr": expr, "legendFormat": legend, "range": true, "instant": false, "editorMode": "code"}
}

// now is a query for the end of the time range.
func now(refID, legend, expr string) object {
	return object{"refId": refID, "datasource": source, "expr": expr, "legendFormat": legend, "range": false, "instant": true, "editorMode": "code"}
}

// rows is now for a table.
func rows(refID, expr string) object {
	q := now(refID, "", expr)
	q["format"] = "table"
	return q
}

// unitOf asks for the unit of a signal, in Grafana's words where it has some. It
// goes with fromUnit: Grafana has no other way to take a unit from a variable.
func unitOf(selector string) object {
	return rows("unit", fmt.Sprintf(`max by (unit) (label_replace(label_replace(last_over_time(upid_signal_info{%s}[$__range]), "unit", "percentunit", "unit", "ratio"), "unit", "binBps", "unit", "bytes/s"))`, selector))
}

func fromUnit() object {
	return object{"id": "configFromData", "options": object{
		"configRefId": "unit",
		"mappings":    list{object{"fieldName": "unit", "handlerKey": "unit"}, object{"fieldName": "Value", "handlerKey": "__ignore"}},
	}}
}

// Panels.

// layout places panels from left to right and from top to bottom on the 24
// columns of a dashboard.
type layout struct {
	panels      list
	x, y, lineH int
}

func (l *layout) add(w, h int, p object) {
	if l.x+w > 24 {
		l.newLine()
	}
	p["id"] = len(l.panels) + 1
	p["gridPos"] = object{"x": l.x, "y": l.y, "w": w, "h": h}
	l.x += w
	l.lineH = max(l.lineH, h)
	l.panels = append(l.panels, p)
}

func (l *layout) newLine() {
	l.x, l.y, l.lineH = 0, l.y+l.lineH, 0
}

func (l *layout) row(title string) {
	l.newLine()
	l.add(24, 1, object{"type": "row", "title": title, "collapsed": false, "panels": list{}})
	l.newLine()
}

// panel is what all kinds have in common.
func panel(kind, title, description string, defaults, options object, targets ...any) object {
	return object{
		"type": kind, "title": title, "description": description, "datasource": source, "targets": targets,
		"fieldConfig": object{"defaults": defaults, "overrides": list{}}, "options": options,
	}
}

// with sets further keys of a panel.
func with(p object, more object) object {
	maps.Copy(p, more)
	return p
}

// override adds properties for the fields a matcher finds.
func override(p object, matcher, which string, properties object) object {
	c := p["fieldConfig"].(object)
	var ps list
	for _, id := range sortedKeys(properties) {
		ps = append(ps, object{"id": id, "value": properties[id]})
	}
	c["overrides"] = append(c["overrides"].(list), object{"matcher": object{"id": matcher, "options": which}, "properties": ps})
	return p
}

// steps are thresholds: a colour for all, then pairs of a value and the colour from
// it on.
func steps(base string, pairs ...any) object {
	out := list{object{"color": base, "value": nil}}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, object{"value": pairs[i], "color": pairs[i+1]})
	}
	return object{"mode": "absolute", "steps": out}
}

func stat(title, description, unit, noValue string, thresholds object, targets ...any) object {
	return panel("stat", title, description,
		object{"unit": unit, "noValue": noValue, "thresholds": thresholds, "color": object{"mode": "thresholds"}, "mappings": list{}},
		object{
			"reduceOptions": object{"calcs": list{"lastNotNull"}, "fields": "", "values": false},
			"orientation":   "auto", "textMode": "value", "colorMode": "background", "graphMode": "none", "justifyMode": "center",
			"percentChangeColorMode": "standard", "showPercentChange": false, "wideLayout": true,
		}, targets...)
}

func timeseries(title, description, unit string, targets ...any) object {
	return panel("timeseries", title, description,
		object{
			"unit": unit, "color": object{"mode": "palette-classic"}, "mappings": list{},
			"custom": object{
				"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 0, "showPoints": "auto", "pointSize": 4,
				"spanNulls": false, "axisPlacement": "auto", "axisSoftMin": 0,
			},
		},
		object{
			"legend":  object{"showLegend": true, "displayMode": "table", "placement": "bottom", "calcs": list{"lastNotNull", "max"}},
			"tooltip": object{"mode": "multi", "sort": "desc"},
		}, targets...)
}

// line draws a dashed line where the colour changes.
func line(p object, thresholds object) object {
	d := p["fieldConfig"].(object)["defaults"].(object)
	d["thresholds"] = thresholds
	d["custom"].(object)["thresholdsStyle"] = object{"mode": "dashed"}
	return p
}

// band fills the space between the lines called lower and upper.
func band(p object, lower, upper, color string) object {
	edge := object{"color": object{"mode": "fixed", "fixedColor": color}, "custom.lineWidth": 0, "custom.showPoints": "never"}
	override(p, "byName", lower, edge)
	return override(p, "byName", upper, object{
		"color": edge["color"], "custom.lineWidth": 0, "custom.showPoints": "never",
		"custom.fillBelowTo": lower, "custom.fillOpacity": 15,
	})
}

// drawn sets colour and dashes of one line.
func drawn(p object, name, color string, dashed bool) object {
	ps := object{"color": object{"mode": "fixed", "fixedColor": color}, "custom.lineWidth": 2}
	if dashed {
		ps["custom.lineStyle"] = object{"fill": "dash", "dash": list{10, 8}}
	}
	return override(p, "byName", name, ps)
}

// column is one value column of a table: the query it comes from and how it looks.
type column struct {
	refID, name, unit string
	thresholds        object // nil: not coloured
}

// table shows instant queries with the same labels side by side. first are the
// label columns that come first, hidden those that are left out.
func table(title, description, noValue string, first, hidden []string, columns []column, targets ...any) object {
	p := panel("table", title, description,
		object{
			"noValue": noValue, "mappings": list{}, "thresholds": steps("text"), "color": object{"mode": "thresholds"},
			"custom": object{"align": "auto", "cellOptions": object{"type": "auto"}, "filterable": true},
		},
		object{"showHeader": true, "cellHeight": "sm", "frameIndex": 0}, targets...)
	exclude, index, rename := object{"Time": true, "__name__": true, "job": true, "stage": true}, object{}, object{}
	for _, h := range hidden {
		exclude[h] = true
	}
	for i, f := range first {
		index[f] = i
	}
	for i, c := range columns {
		// One query alone has its values in a column without its name.
		value := "Value #" + c.refID
		if len(targets) == 1 {
			value = "Value"
		}
		rename[value], index[value] = c.name, len(first)+i
		ps := object{"unit": c.unit, "decimals": 2, "custom.width": 130}
		if c.thresholds != nil {
			ps["thresholds"] = c.thresholds
			ps["custom.cellOptions"] = object{"type": "color-text"}
		}
		override(p, "byName", c.name, ps)
	}
	p["transformations"] = list{
		object{"id": "merge", "options": object{}},
		object{"id": "organize", "options": object{"excludeByName": exclude, "indexByName": index, "renameByName": rename}},
	}
	return p
}

// sorted orders a table by a column, the largest first.
func sorted(p object, name string) object {
	p["options"].(object)["sortBy"] = list{object{"displayName": name, "desc": true}}
	return p
}

// toSignal makes the column of signal names lead to the dashboard of the signal.
func toSignal(p object) object {
	return override(p, "byName", "signal", object{"links": list{object{
		"title": "Open ${__value.text}", "url": "/d/" + signalUID + "?var-datasource=${datasource}&var-signal=${__value.text:percentencode}", "targetBlank": false,
	}}})
}

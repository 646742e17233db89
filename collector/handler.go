package collector

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// The parts of /metrics that ?collect[]= chooses from.
const (
	collectPredictions = "predictions"
	collectSelf        = "self"
)

// offered are the formats a scraper may have, best first. The two versions of
// OpenMetrics differ in nothing that is written here.
var offered = []expfmt.Format{
	expfmt.FmtOpenMetrics_1_0_0,
	expfmt.FmtOpenMetrics_0_0_1,
	expfmt.FmtText,
}

// ServeHTTP writes one consistent snapshot of all results, then the self
// metrics, in the format and the encoding that the request prefers. Its
// parameters collect[]=predictions and collect[]=self ask for one part. The
// whole answer is prepared before the first write.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := r.URL.Query()["collect[]"]
	for _, p := range parts {
		if p != collectPredictions && p != collectSelf {
			http.Error(w, `collect[]: want "predictions" or "self"`, http.StatusBadRequest)
			return
		}
	}
	format := negotiate(r.Header)
	zip := acceptsGzip(r.Header)
	s := c.acquire()
	defer c.done(s)

	var b body
	var tail bytes.Buffer
	if zip {
		b.add(gzipHeader)
	}
	if len(parts) == 0 || slices.Contains(parts, collectPredictions) {
		c.addResults(&b, s, format, zip)
		c.writeModels(&tail, s)
	}
	if len(parts) == 0 || slices.Contains(parts, collectSelf) {
		writeExport(&tail, s)
		c.writeRegistry(&tail, format)
	}
	if format.FormatType() == expfmt.TypeOpenMetrics {
		tail.WriteString("# EOF\n")
	}
	if zip {
		f := c.flaters.Get().(*flater)
		b.add(f.piece(nil, tail.Bytes(), true))
		c.flaters.Put(f)
		b.sum(tail.Bytes())
		b.add(b.trailer())
	} else {
		b.add(tail.Bytes())
	}

	h := w.Header()
	h.Set("Content-Type", string(format))
	h.Set("Content-Length", strconv.Itoa(b.size))
	h.Set("Vary", "Accept, Accept-Encoding")
	if zip {
		h.Set("Content-Encoding", "gzip")
	}
	for _, p := range b.pieces {
		if _, err := w.Write(p); err != nil {
			return // the scraper has gone; there is nobody to tell
		}
	}
}

// negotiate returns the format for a request. Label names are escaped with
// underscores, or not at all if the scraper says that it takes UTF-8.
func negotiate(h http.Header) expfmt.Format {
	f := expfmt.NegotiateAccept(h, offered...)
	if f.ToEscapingScheme() != model.NoEscaping {
		f = f.WithEscapingScheme(model.UnderscoreEscaping)
	}
	return f
}

// acceptsGzip reads Accept-Encoding.
func acceptsGzip(h http.Header) bool {
	for v := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(v, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			return !ok || err == nil && weight > 0
		}
	}
	return false
}

// addResults adds the families of all segments: the head once, then the samples
// of every task.
func (c *Collector) addResults(b *body, s *snapshot, format expfmt.Format, zip bool) {
	form := legacyNames
	if format.ToEscapingScheme() == model.NoEscaping {
		form = utf8Names
	}
	for i := range c.families {
		headed := false
		for _, seg := range s.segments {
			t := seg.in(form)
			samples := t.family(i)
			if len(samples) == 0 {
				continue
			}
			switch {
			case !zip && !headed:
				b.add(c.families[i].head)
			case !headed:
				b.add(c.heads[i])
				b.sum(c.families[i].head)
			}
			headed = true
			if zip {
				b.add(c.deflated(t, i))
				b.sum(samples)
			} else {
				b.add(samples)
			}
		}
	}
}

// writeModels writes what is known of the models.
func (c *Collector) writeModels(out *bytes.Buffer, s *snapshot) {
	w := writer{name: "upid_model_info"}
	for _, m := range []struct {
		name string
		used bool
	}{{"resource_prediction", s.forecast}, {"anomaly_detection", s.scored}} {
		labels := appendLabel([]byte{'{'}, "model_type", m.name)
		if c.opts.ModelVersion != "" {
			labels = appendLabel(append(labels, ','), "version", c.opts.ModelVersion)
		}
		state := `,state="untrained"} ` // in no stage yet
		if m.used {
			state = `,stage="active",state="active"} `
			if s.demoted && m.name == "resource_prediction" {
				state = `,stage="active",state="degraded"} ` // naive stands in for some signal's
			}
		}
		w.sample(string(labels), state, 1)
	}
	if states := c.learned.Load(); states != nil {
		for _, m := range *states {
			w.sample(string(appendLabel([]byte{'{'}, "model_type", m.ModelType)), tailOf("version", m.Version, "stage", m.Stage, "state", m.State), 1)
		}
	}
	writeFamily(out, &w)
}

// writeExport writes what is to be said about the snapshot itself: not from the
// registry, whose gauges could be of another moment.
func writeExport(out *bytes.Buffer, s *snapshot) {
	for _, m := range []struct {
		name string
		n    int
	}{
		{"upid_export_series", s.samples},
		{"upid_export_truncated_series", s.truncated},
		{"upid_export_duplicate_series", s.duplicates},
	} {
		w := writer{name: m.name}
		w.sample("", " ", float64(m.n))
		writeFamily(out, &w)
	}
}

// writeFamily writes the head and the samples of w, nothing if it has none.
func writeFamily(out *bytes.Buffer, w *writer) {
	if w.samples == 0 {
		return
	}
	for _, m := range Metrics {
		if m.Name == w.name {
			out.Write(appendHead(nil, m))
		}
	}
	out.Write(w.b)
}

// writeRegistry writes the self metrics. What can be gathered is written even
// if something else cannot: losing one metric is better than losing the scrape.
func (c *Collector) writeRegistry(out *bytes.Buffer, format expfmt.Format) {
	families, err := c.opts.Registry.Gather()
	if err != nil {
		c.opts.Logger.Error("gather self metrics", "err", err)
	}
	enc := expfmt.NewEncoder(out, format)
	for _, f := range families {
		n := out.Len()
		if err := enc.Encode(f); err != nil {
			out.Truncate(n)
			c.opts.Logger.Error("encode self metric", "metric", f.GetName(), "err", err)
		}
	}
}

package engine

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// result is the value of a query. It is written while it is encoded: a matrix of
// a million points has tens of megabytes.
type result struct {
	value parser.Value
	close func() // the points belong to the query
}

// write writes the whole answer. An error of w means that nobody listens.
func (q result) write(w io.Writer, a answer) {
	defer q.close()
	e := encoder{Writer: bufio.NewWriterSize(w, 64<<10)}
	e.text(`{"status":"success","data":{"resultType":"`)
	e.text(string(q.value.Type()))
	e.text(`","result":`)
	e.value(q.value)
	e.text(`}`)
	e.list("warnings", a.warnings)
	e.list("infos", a.infos)
	e.text("}\n")
	_ = e.Flush()
}

// encoder writes JSON; errors stay in the Writer until Flush. The engine has no
// native histograms, so every point is a float.
type encoder struct {
	*bufio.Writer
	buf []byte
}

func (e *encoder) text(s string) { e.WriteString(s) }

func (e *encoder) json(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and labels
	}
	e.Write(b)
}

func (e *encoder) list(name string, texts []string) {
	if len(texts) > 0 {
		e.text(`,"` + name + `":`)
		e.json(texts)
	}
}

func (e *encoder) value(v parser.Value) {
	switch v := v.(type) {
	case promql.Matrix:
		e.text("[")
		for i, s := range v {
			e.comma(i)
			e.metric(s.Metric)
			e.text(`,"values":[`)
			for k, p := range s.Floats {
				e.comma(k)
				e.point(p.T, p.F)
			}
			e.text("]}")
		}
		e.text("]")
	case promql.Vector:
		e.text("[")
		for i, s := range v {
			e.comma(i)
			e.metric(s.Metric)
			e.text(`,"value":`)
			e.point(s.T, s.F)
			e.text("}")
		}
		e.text("]")
	case promql.Scalar:
		e.point(v.T, v.V)
	case promql.String:
		e.text("[")
		e.buf = appendTime(e.buf[:0], v.T)
		e.Write(e.buf)
		e.text(",")
		e.json(v.V)
		e.text("]")
	}
}

func (e *encoder) comma(i int) {
	if i > 0 {
		e.text(",")
	}
}

func (e *encoder) metric(ls labels.Labels) {
	e.text(`{"metric":`)
	e.json(ls)
}

// point writes [1435781451.781,"1.5"].
func (e *encoder) point(t int64, v float64) {
	b := append(e.buf[:0], '[')
	b = appendTime(b, t)
	b = append(b, ',', '"')
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, v, format, -1, 64)
	e.buf = append(b, '"', ']')
	e.Write(e.buf)
}

// appendTime appends Unix milliseconds as seconds, with a fraction if there is one.
func appendTime(b []byte, ms int64) []byte {
	if ms < 0 {
		b, ms = append(b, '-'), -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if f := ms % 1000; f != 0 {
		b = append(b, '.', byte('0'+f/100), byte('0'+f/10%10), byte('0'+f%10))
	}
	return b
}

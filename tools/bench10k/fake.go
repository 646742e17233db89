package main

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
)

// fake answers range queries for bench{group="G"} with perSignal series of
// deterministic values: a level, a day and noise, all of them different.
type fake struct{ perSignal int }

var group = regexp.MustCompile(`group="(\d+)"`)

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := group.FindStringSubmatch(r.FormValue("query"))
	if m == nil || r.URL.Path != "/api/v1/query_range" {
		http.NotFound(w, r)
		return
	}
	var at [3]int64
	for i, key := range []string{"start", "end", "step"} {
		v, err := strconv.ParseFloat(r.FormValue(key), 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		at[i] = int64(v)
	}
	g, _ := strconv.Atoi(m[1]) // digits
	out := bufio.NewWriterSize(w, 1<<16)
	defer out.Flush() //nolint:errcheck // the client has gone
	out.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[`)
	var buf []byte
	for s := range f.perSignal {
		if s > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(out, `{"metric":{"__name__":"bench","group":"%d","instance":"10.0.%d.%d:9100","job":"bench","namespace":"shop","workload":"checkout-%d-%d"},"values":[`, g, s/256, s%256, g, s)
		for t := at[0]; t <= at[1]; t += at[2] {
			if t > at[0] {
				out.WriteByte(',')
			}
			buf = append(strconv.AppendInt(append(buf[:0], '['), t, 10), ',', '"')
			buf = strconv.AppendFloat(buf, value(g*f.perSignal+s, t), 'g', -1, 64)
			out.Write(append(buf, '"', ']'))
		}
		out.WriteString(`]}`)
	}
	out.WriteString(`]}}`)
}

// value is that of a series at t, in Unix seconds.
func value(series int, t int64) float64 {
	level := 10 + float64(series%97)
	phase := 2 * math.Pi * float64((t+int64(series)*613)%86400) / 86400
	return level * (1 + 0.3*sine(phase) + 0.05*(noise(uint64(series), uint64(t))-0.5))
}

// sines are a period in steps fine enough for this; math.Sin would be most of
// the work of an answer.
var sines = func() (s [4096]float64) {
	for i := range s {
		s[i] = math.Sin(2 * math.Pi * float64(i) / float64(len(s)))
	}
	return s
}()

func sine(phase float64) float64 {
	return sines[int(phase/(2*math.Pi)*float64(len(sines)))%len(sines)]
}

// noise is a hash of both in [0, 1) (splitmix64).
func noise(a, b uint64) float64 {
	z := a*0x9e3779b97f4a7c15 + b*0xd1342543de82ef95
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

package sizing

import (
	"context"
	"math"

	"github.com/upid/upid/collector/series"
)

// Usage is the history of one container: CPU in cores and memory in bytes, each on its own
// grid. A series without values is one that is not known.
type Usage struct {
	CPU, Memory series.Series
}

// Learn returns a Sizer for each container, in order, that has seen the last 28 days before end,
// Unix seconds, and decided at the end of each: what a sidecar that ran all the time would say,
// as a function of the data alone. All are decided together, which gives the Scale. It
// returns the error of ctx once that is done. 4 ms and 16 KiB a container at five minutes.
func Learn(ctx context.Context, p Policy, all []Usage, end int64, c *Scratch) ([]*Sizer, error) {
	sizers := make([]*Sizer, len(all))
	for i, u := range all {
		step := u.CPU.Step
		if len(u.CPU.Values) == 0 {
			step = u.Memory.Step
		}
		sizers[i] = New(p, step/1000)
	}
	for now := end - (window-1)*daySeconds; now <= end; now += daySeconds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i, u := range all {
			sizers[i].observe(u, now-daySeconds, now)
		}
		EndDays(now, sizers, c)
	}
	return sizers, nil
}

// EndDays closes the day that ends now, Unix seconds, for all that are decided together, and
// decides. Sizers that have seen nothing yet have no history.
func EndDays(now int64, all []*Sizer, c *Scratch) {
	scales := make([]Scale, len(all))
	for i, s := range all {
		s.EndDay(c)
		scales[i] = s.Usual(c)
	}
	scale := Mean(scales)
	for _, s := range all {
		if !s.seen {
			s.days = 0 // days before the first sample are no history
			continue
		}
		s.Decide(now, scale, c)
	}
}

// observe takes in what is from ≤ time < to, both series in order of time.
func (s *Sizer) observe(u Usage, from, to int64) {
	cpu, memory := u.CPU, u.Memory
	if len(cpu.Values) > 0 {
		cpu = cpu.Slice(from*1000, to*1000)
	}
	if len(memory.Values) > 0 {
		memory = memory.Slice(from*1000, to*1000)
	}
	i, k := 0, 0
	for i < len(cpu.Values) || k < len(memory.Values) {
		at := int64(math.MaxInt64)
		if i < len(cpu.Values) {
			at = cpu.At(i)
		}
		if k < len(memory.Values) {
			at = min(at, memory.At(k))
		}
		x := Sample{Time: at / 1000, CPU: math.NaN(), Memory: math.NaN()}
		if i < len(cpu.Values) && cpu.At(i) == at {
			x.CPU = cpu.Values[i]
			i++
		}
		if k < len(memory.Values) && memory.At(k) == at {
			x.Memory = memory.Values[k]
			k++
		}
		if x.CPU == x.CPU || x.Memory == x.Memory {
			s.Observe(x)
		}
	}
}

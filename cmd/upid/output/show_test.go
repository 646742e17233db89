package output

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestSpark(t *testing.T) {
	nan := math.NaN()
	f := func(y []float64, width int, want string) {
		t.Helper()
		low, high := Extent(y)
		if got := Spark(y, width, low, high); got != want {
			t.Errorf("Spark(%v) = %q, want %q", y, got, want)
		}
	}
	f([]float64{0, 1, 2, 3, 4, 5, 6, 7}, 8, "▁▂▃▄▅▆▇█")
	f([]float64{0, 0, 7, 7}, 2, "▁█") // means of two
	f([]float64{0, nan, 7}, 8, "▁ █")
	f([]float64{5, 5, 5}, 8, "▄▄▄")                 // constant: neither low nor high
	f([]float64{5, 5 + 1e-14, 5 - 1e-14}, 8, "▄▄▄") // as constant as arithmetic can be
	f([]float64{1e-12, 2e-12}, 8, "▁█")
	f([]float64{nan}, 8, " ")
	f(nil, 8, "")
}

func TestExtent(t *testing.T) {
	low, high := Extent([]float64{math.NaN(), 3}, nil, []float64{-1, 2})
	if low != -1 || high != 3 {
		t.Errorf("Extent = %g, %g, want -1, 3", low, high)
	}
	if low, high := Extent(); !math.IsNaN(low) || !math.IsNaN(high) {
		t.Errorf("Extent of nothing = %g, %g, want NaN", low, high)
	}
}

// Where nobody looks at a terminal every name is whole, and so are the columns beside it.
func TestGrid_whole(t *testing.T) {
	name := strings.Repeat("long", 30)
	g := Grid{Head: []string{"NAME", "V"}, Right: []bool{false, true}, Width: 40}
	g.Add(name, "1")
	g.Add("b", "22")
	var b strings.Builder
	if err := g.Write(&b, Style{Whole: true}); err != nil {
		t.Fatal(err)
	}
	pad := strings.Repeat(" ", len(name)-1)
	if want := "NAME" + pad[3:] + "   V\n" + name + "   1\nb" + pad + "  22\n"; b.String() != want {
		t.Errorf("\n%s\nwant\n%s", b.String(), want)
	}
	if got := (Style{Whole: true}).Cut("a\x1b"+name, 8); got != "a\uFFFD"+name {
		t.Errorf("Cut = %q", got)
	}
	if got := (Style{}).Cut(name, 8); got != "long…ong" {
		t.Errorf("on a terminal Cut = %q", got)
	}
}

func TestGrid(t *testing.T) {
	g := Grid{Head: []string{"SERIES", "VALUE"}, Right: []bool{false, true}}
	g.Add("a", "1")
	g.Add("bb", "1234567")
	if g.Len() != 2 {
		t.Errorf("Len = %d, want 2", g.Len())
	}
	var b strings.Builder
	if err := g.Write(&b, Style{}); err != nil {
		t.Fatal(err)
	}
	want := "SERIES    VALUE\na             1\nbb      1234567\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestGrid_cutsFirstColumn(t *testing.T) {
	g := Grid{Head: []string{"SERIES", "VALUE"}, Right: []bool{false, true}}
	g.Add(strings.Repeat("é", 100), "1")
	var b strings.Builder
	if err := g.Write(&b, Style{}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > Width {
			t.Errorf("%d columns in %q", n, line)
		}
	}
	if !strings.Contains(b.String(), "é…é") {
		t.Errorf("the cut is not marked in %q", b.String())
	}
}

func TestCut(t *testing.T) {
	f := func(s string, n int, want string) {
		t.Helper()
		if got := Cut(s, n); got != want {
			t.Errorf("Cut(%q, %d) = %q, want %q", s, n, got, want)
		}
	}
	f("node_load1", 10, "node_load1")
	f("node_load1", 6, "nod…d1")
	f("node_load1", 5, "no…d1")
	f("node_load1", 1, "…")
	f("node_load1", 0, "")
}

func TestStyle(t *testing.T) {
	if got := (Style{}).Bold("x"); got != "x" {
		t.Errorf("without colours: %q", got)
	}
	c := Style{Colour: true}
	for _, got := range []string{c.Bold("x"), c.Dim("x"), c.Accent("x")} {
		if !strings.HasPrefix(got, "\x1b[") || !strings.HasSuffix(got, "x\x1b[0m") {
			t.Errorf("with colours: %q", got)
		}
	}
	if got := c.Bold(""); got != "" {
		t.Errorf("empty text: %q", got)
	}
}

func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	width := 60
	var b strings.Builder
	p := NewProgress(&b, func() int { return width }, func() time.Time { return now }, "forecast", 1000)
	p.Set(1)
	if b.Len() != 0 {
		t.Errorf("shown at once: %q", b.String())
	}
	now = now.Add(time.Second)
	p.Set(250)
	// A quarter after 1 s: 3 s left. 60 columns less the last, 8 of the label, a blank and 25 of the text leave 25.
	want := "\rforecast ██████░░░░░░░░░░░░░░░░░░░ 250/1,000  25 %, 3s left\x1b[K"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	if n := utf8.RuneCountInString(want) - utf8.RuneCountInString("\r\x1b[K"); n != width-1 {
		t.Errorf("the bar is %d wide, want %d", n, width-1)
	}
	b.Reset()
	now = now.Add(time.Millisecond)
	p.Set(251)
	if b.Len() != 0 {
		t.Errorf("redrawn after a millisecond: %q", b.String())
	}
	now, width = now.Add(time.Second), 20
	p.Set(1000)
	if got, want := b.String(), "\r1,000/1,000 100 %\x1b[K"; got != want {
		t.Errorf("narrow: %q, want %q", got, want)
	}
	b.Reset()
	p.Done()
	p.Done()
	if got := b.String(); got != "\r\x1b[K" {
		t.Errorf("Done wrote %q", got)
	}

	var none *Progress
	none.Set(1)
	none.Done()
}

func TestCutIsPrintable(t *testing.T) {
	if got, want := Cut("a\x1b[31m\nb", 80), "a\uFFFD[31m\uFFFDb"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Names of series are other people's: nothing in them moves the cursor or turns
// the direction of writing.
func TestPrintable(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := Printable(s); got != want {
			t.Errorf("Printable(%q) = %q, want %q", s, got, want)
		}
	}
	f("a\x1b[2J\r\nb", "a\ufffd[2J\ufffd\ufffdb")
	f("a\u009b2Jb", "a\ufffd2Jb")
	f("a\u202eb\u2066c\u200f", "a\ufffdb\ufffdc\ufffd")
	f("a\u2028b\u2029", "a\ufffdb\ufffd")
	f("größe=▁█", "größe=▁█")
}

// Names that differ differ where they are cut, or the table is wider: two rows that read
// the same say nothing.
func TestGrid_cutNamesDiffer(t *testing.T) {
	f := func(width int, want string, names ...string) {
		t.Helper()
		g := Grid{Head: []string{"NAME", "V"}, Right: []bool{false, true}, Width: width}
		for _, n := range names {
			g.Add(n, "1")
		}
		var b strings.Builder
		if err := g.Write(&b, Style{}); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	}
	f(12, "NAME       V\nnode…node  1\npod_…_cpu  1\n", "node_a_node", "pod_of_cpu") // half and half
	f(14, "NAME         V\nclus…r1_cpu  1\nclus…11_cpu  1\nclus…11_cpu  1\n", "cluster1_cpu", "cluster11_cpu", "cluster11_cpu")
	f(14, "NAME         V\nbit_…0_node  1\nbit_…1_node  1\n", "bit_brains_vm30_node", "bit_brains_vm31_node")
	// They differ in the middle only, where no cut leaves it: the table is wider.
	f(11, "NAME        V\n…1_longend  1\n…2_longend  1\n", "long_some_1_longend", "long_some_2_longend")
}

func TestGrid_give(t *testing.T) {
	g := Grid{Head: []string{"START", "ENTITY"}, Right: []bool{false, false}, Width: 20, Give: 1, Least: 12}
	g.Add("2026-01-02T03:04:05Z", "system:serviceaccount:default")
	var b strings.Builder
	if err := g.Write(&b, Style{}); err != nil {
		t.Fatal(err)
	}
	if want := "START                 ENTITY\n2026-01-02T03:04:05Z  system…fault\n"; b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

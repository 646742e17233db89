package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wellFormed reads the picture to its end and counts its elements.
func wellFormed(t *testing.T, b []byte) map[string]int {
	t.Helper()
	n := map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			n[e.Name.Local]++
		}
	}
}

func TestRender(t *testing.T) {
	rows, err := readRows(strings.NewReader(`series,timestamp,value,expected,lower,upper,score,is_anomaly,type
value,0,1,1,,,,0,
value,300,5,5,4,6,0.2,0,
value,600,,5,4,6,0.5,0,
value,900,9,5,4,,3.5,1,spike
value,1200,5,5,4,6,0.1,0,
value,9999999,5,5,4,6,0.1,1,drop
`), 0, 5000)
	if err != nil || len(rows) != 5 || !math.IsNaN(rows[2].value) || !rows[3].anomaly {
		t.Fatalf("%+v, %v", rows, err)
	}
	var b bytes.Buffer
	render(&b, picture{title: "a title"}, rows)
	n := wellFormed(t, b.Bytes())
	text := b.String()
	if n["polygon"] != 1 || n["polyline"] < 4 || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || !strings.Contains(text, ">spike<") || strings.Contains(text, ">drop<") {
		t.Errorf("%v in\n%s", n, text)
	}
	if _, err := readRows(strings.NewReader("series,timestamp\n"), 0, 1); err == nil {
		t.Error("a picture of nothing")
	}
}

// Every picture is there, and every one in the text has been drawn.
func TestPicturesAreThere(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	text, err := os.ReadFile(filepath.Join(docs, "detection.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		b, err := os.ReadFile(filepath.Join(docs, "pictures", p.name+".svg"))
		if err != nil {
			t.Error(err)
			continue
		}
		if n := wellFormed(t, b); n["polyline"] < 2 || n["polygon"] < 1 {
			t.Errorf("%s: %v", p.name, n)
		}
		if !strings.Contains(string(text), "](pictures/"+p.name+".svg)") {
			t.Errorf("detection.md does not show %s", p.name)
		}
	}
	if n := strings.Count(string(text), "](pictures/"); n != len(pictures) {
		t.Errorf("%d pictures in the text, %d drawn", n, len(pictures))
	}
}

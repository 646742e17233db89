package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Load reads and checks the file. Its error lists every mistake, one a line,
// each as file:line: path: what is wrong.
func Load(path string, c Checks) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, b, c)
}

// Parse checks the content of a file; name is for its errors.
func Parse(name string, content []byte, c Checks) (*Config, error) {
	raw, p, err := decode(name, content)
	if err != nil {
		return nil, err
	}
	v := &validator{problems: p, checks: c}
	cfg := v.config(raw)
	if err := p.err(); err != nil {
		return nil, err
	}
	cfg.Hash = sha256.Sum256(content)
	return cfg, nil
}

// Places returns the data directory and the listen address that a file names, the
// defaults where it names none that can be read. The rest of it may be wrong: a
// running sidecar must be found while its configuration is being edited.
func Places(content []byte) (storage, listen string) {
	var p problems
	if err := yaml.Unmarshal(content, &p.root); err != nil {
		return DefaultStorage, DefaultListen
	}
	return or(p.text("storage", "path"), DefaultStorage), or(p.text("web", "listen_address"), DefaultListen)
}

// named reports whether the file has a key at a path, with or without a value.
func (p *problems) named(path ...any) bool {
	n := &p.root
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, step := range path {
		if n = child(n, step); n == nil {
			return false
		}
	}
	return true
}

// text returns the text at a path, "" if there is none.
func (p *problems) text(path ...any) string {
	n := &p.root
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, step := range path {
		if n = child(n, step); n == nil {
			return ""
		}
	}
	var s string
	if n.Kind != yaml.ScalarNode || n.Decode(&s) != nil {
		return ""
	}
	return s
}

// decode maps the file onto the raw structs. What the YAML decoder finds is
// noted in the problems; only a file that is no YAML at all is an error.
func decode(name string, content []byte) (*rawConfig, *problems, error) {
	p := &problems{file: name}
	var raw rawConfig
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.KnownFields(true)
	var te *yaml.TypeError
	switch err := dec.Decode(&raw); {
	case errors.Is(err, io.EOF):
		return nil, nil, fmt.Errorf("%s: the file is empty; it needs at least one entry under presets or signals", name)
	case errors.As(err, &te):
		p.typeErrors(te, true)
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		p.add(0, "", "more than one YAML document")
	}
	if err := yaml.Unmarshal(content, &p.root); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return &raw, p, nil
}

// problems collects mistakes with their lines.
type problems struct {
	file string
	root yaml.Node
	list []problem
}

type problem struct {
	line int
	text string
}

func (p *problems) add(line int, path, text string) {
	if path != "" {
		text = path + ": " + text
	}
	p.list = append(p.list, problem{line, text})
}

// at notes a mistake in the value at a path such as "signals", 2, "step".
func (p *problems) at(text string, path ...any) {
	p.add(p.line(path...), pathString(path), text)
}

// line returns the line of the deepest node on the path that exists.
func (p *problems) line(path ...any) int {
	n := &p.root
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	line := n.Line
	for _, step := range path {
		n = child(n, step)
		if n == nil {
			break
		}
		line = n.Line
	}
	return line
}

func child(n *yaml.Node, step any) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch s := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && s < len(n.Content) {
			return n.Content[s]
		}
	case string:
		if n.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == s {
					return n.Content[i+1]
				}
			}
		}
	}
	return nil
}

func pathString(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s)
		}
	}
	return b.String()
}

// err returns the mistakes in the order of their lines, each once.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b problem) int { return a.line - b.line })
	var errs []error
	for _, pr := range slices.Compact(p.list) {
		where := p.file
		if pr.line > 0 {
			where += ":" + strconv.Itoa(pr.line)
		}
		errs = append(errs, fmt.Errorf("%s: %s", where, pr.text))
	}
	return errors.Join(errs...)
}

var (
	atLine     = regexp.MustCompile(`^line (\d+): (.*)$`)
	unknownKey = regexp.MustCompile(`^field (\S+) not found in type (\S+)$`)
	wrongType  = regexp.MustCompile("^cannot unmarshal (\\S+)(?: `([^`]*)`)? into (.+)$")
	duplicate  = regexp.MustCompile(`^mapping key "([^"]+)" already defined at line (\d+)$`)
)

// typeErrors rewrites what yaml.v3 says for somebody who does not know Go. Values
// are shown only where show allows: where secrets live they are not.
func (p *problems) typeErrors(te *yaml.TypeError, show bool) {
	for _, e := range te.Errors {
		line, text := 0, e
		if m := atLine.FindStringSubmatch(e); m != nil {
			line, _ = strconv.Atoi(m[1])
			text = m[2]
		}
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("unknown key %q", m[1])
			if near := nearest(m[1], keysOf(m[2])); near != "" {
				text += fmt.Sprintf(", did you mean %q?", near)
			}
		} else if m := wrongType.FindStringSubmatch(text); m != nil {
			got := strings.TrimPrefix(m[1], "!!")
			if m[2] != "" && show {
				got = strconv.Quote(m[2])
			}
			text = fmt.Sprintf("%s where %s is wanted", got, typeName(m[3]))
		} else if m := duplicate.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("key %q was given before, in line %s", m[1], m[2])
		}
		p.add(line, "", text)
	}
}

func typeName(goType string) string {
	switch {
	case goType == "string":
		return "a text"
	case goType == "bool":
		return "true or false"
	case goType == "int":
		return "a whole number"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "a mapping of keys"
}

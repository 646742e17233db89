package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
)

// landing is the page at /: links, and nothing that runs.
type landing struct {
	page   []byte
	policy string // its Content-Security-Policy
}

// style is the only thing the policy of the page lets in, by its hash.
const style = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem}
h1{font-size:1.75rem;margin:0}
p{margin:.25rem 0 2rem;opacity:.75}
ul{list-style:none;margin:0;padding:0;border-top:1px solid #8884}
li{display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:.75rem 0;border-bottom:1px solid #8884}
a{min-width:9rem;font-family:ui-monospace,monospace;color:LinkText}
a:focus-visible{outline:2px solid currentColor;outline-offset:2px}`

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>upid</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
<h1>upid</h1>
<p>Forecasts and anomaly scores for Prometheus{{with .Version}} · version {{.}}{{end}}</p>
<ul>
{{- range .Routes}}{{if .About}}
<li><a href="{{.Path}}">{{.Path}}</a> <span>{{.About}}</span></li>
{{- end}}{{end}}
</ul>
</main>
</body>
</html>
`

func newLanding(version string, routes []Route) (landing, error) {
	t, err := template.New("landing").Parse(page)
	if err != nil {
		return landing{}, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, struct {
		Style   template.CSS
		Version string
		Routes  []Route
	}{style, version, routes}); err != nil {
		return landing{}, err
	}
	hash := sha256.Sum256([]byte(style))
	return landing{
		page: b.Bytes(),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}, nil
}

package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// OpenAPI describes routes in OpenAPI 3.1, as indented JSON: paths, methods, roles,
// parameters, bodies and answers, made from the table of routes and the Go types that are
// encoded. The same routes give the same bytes.
func OpenAPI(routes []Route, version string) ([]byte, error) {
	type object = map[string]any
	known := schemas{object{}, map[string]reflect.Type{}}
	envelopeOf := func(data object) object {
		return object{"type": "object", "required": []string{"status"}, "properties": object{
			"status": object{"type": "string", "enum": []string{"success", "error"}}, "data": data,
			"error": object{"type": "string"}, "errorType": object{"type": "string"}, "total": object{"type": "integer"}, "next": object{"type": "integer"},
		}}
	}
	answer := func(about string, schema object) object {
		return object{"description": about, "content": object{"application/json": object{"schema": schema}}}
	}
	paths := object{}
	for _, r := range routes {
		at := strings.TrimSuffix(r.Path, "{$}")
		item := object{}
		for _, method := range r.Methods {
			op := object{"operationId": r.Name, "x-role": string(r.Role)}
			if r.About != "" {
				op["summary"] = r.About
			}
			params := []object{}
			for _, m := range pathParam.FindAllStringSubmatch(at, -1) {
				params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
			}
			for _, name := range r.Query {
				params = append(params, object{"name": name, "in": "query", "required": false, "schema": object{"type": "string"}})
			}
			if len(params) > 0 {
				op["parameters"] = params
			}
			if r.Body != nil {
				op["requestBody"] = object{"content": object{"application/json": object{"schema": known.schemaOf(reflect.TypeOf(r.Body))}}}
			}
			code := http.StatusOK
			if r.Accepts {
				code = http.StatusAccepted
			}
			responses := object{}
			switch {
			case r.Data != nil:
				responses[strconv.Itoa(code)] = answer("done", envelopeOf(known.schemaOf(reflect.TypeOf(r.Data))))
				responses["default"] = answer("refused", object{"$ref": "#/components/schemas/Error"})
			case strings.HasPrefix(at, "/api/"):
				responses[strconv.Itoa(code)] = answer("done", envelopeOf(object{}))
				responses["default"] = answer("refused", object{"$ref": "#/components/schemas/Error"})
			default:
				responses[strconv.Itoa(code)] = object{"description": "done"}
				responses["default"] = object{"description": "refused, in text"}
			}
			op["responses"] = responses
			item[strings.ToLower(method)] = op
		}
		if _, twice := paths[at]; twice {
			return nil, fmt.Errorf("openapi: two routes at %s", at)
		}
		paths[at] = item
	}
	known.objects["Error"] = object{"type": "object", "required": []string{"status", "error", "errorType"}, "properties": object{
		"status": object{"const": "error"}, "error": object{"type": "string"}, "errorType": object{"type": "string"},
	}}
	b, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "upid", "version": version, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "Answers are in the envelope of Prometheus. x-role says who may call: viewers whoever reaches the listener, operators and admins from this machine with --web.enable-lifecycle.",
		},
		"paths": paths, "components": object{"schemas": known.objects},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return append(b, '\n'), nil
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// schemas are those of structs, by name.
type schemas struct {
	objects map[string]any
	types   map[string]reflect.Type
}

// name returns that of a struct, with its package's before it if another struct has it.
func (s schemas) name(t reflect.Type) string {
	name := t.Name()
	if other, taken := s.types[name]; taken && other != t {
		pkg := path.Base(t.PkgPath())
		name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	s.types[name] = t
	return name
}

// schemaOf returns the schema of what encoding/json makes of a type. Structs with a name go
// into s and are referred to.
func (s schemas) schemaOf(t reflect.Type) map[string]any {
	type object = map[string]any
	switch t.Kind() { //nolint:exhaustive // what no answer holds may be anything
	case reflect.Pointer:
		of := s.schemaOf(t.Elem())
		if kind, ok := of["type"].(string); ok {
			of["type"] = []string{kind, "null"}
			return of
		}
		return object{"anyOf": []object{of, {"type": "null"}}}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Int32, reflect.Uint32:
		return object{"type": "integer"}
	case reflect.Float64, reflect.Float32:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice:
		if t == reflect.TypeFor[json.RawMessage]() {
			return object{}
		}
		return object{"type": "array", "items": s.schemaOf(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.schemaOf(t.Elem())}
	case reflect.Struct:
		name := s.name(t)
		if _, done := s.objects[name]; !done {
			s.objects[name] = object{} // so that a type that holds itself ends
			properties, required := object{}, []string{}
			s.fields(t, properties, &required)
			slices.Sort(required)
			s.objects[name] = object{"type": "object", "properties": properties, "required": required}
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	return object{}
}

// fields adds the fields of a struct as encoding/json names them.
func (s schemas) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			s.fields(f.Type, properties, required)
		case !f.IsExported() || name == "-":
		default:
			if name == "" {
				name = f.Name
			}
			properties[name] = s.schemaOf(f.Type)
			if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
				*required = append(*required, name)
			}
		}
	}
}

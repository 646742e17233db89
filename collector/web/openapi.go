package web

import (
	"encoding/json"
	"fmt"
	"net/http"
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
	schemas := object{}
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
		path := strings.TrimSuffix(r.Path, "{$}")
		item := object{}
		for _, method := range r.Methods {
			op := object{"operationId": r.Name, "x-role": string(r.Role)}
			if r.About != "" {
				op["summary"] = r.About
			}
			params := []object{}
			for _, m := range pathParam.FindAllStringSubmatch(path, -1) {
				params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
			}
			for _, name := range r.Query {
				params = append(params, object{"name": name, "in": "query", "required": false, "schema": object{"type": "string"}})
			}
			if len(params) > 0 {
				op["parameters"] = params
			}
			if r.Body != nil {
				op["requestBody"] = object{"content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(r.Body), schemas)}}}
			}
			code := http.StatusOK
			if r.Accepts {
				code = http.StatusAccepted
			}
			responses := object{}
			switch {
			case r.Data != nil:
				responses[strconv.Itoa(code)] = answer("done", envelopeOf(schemaOf(reflect.TypeOf(r.Data), schemas)))
				responses["default"] = answer("refused", object{"$ref": "#/components/schemas/Error"})
			case strings.HasPrefix(path, "/api/"):
				responses[strconv.Itoa(code)] = answer("done", envelopeOf(object{}))
				responses["default"] = answer("refused", object{"$ref": "#/components/schemas/Error"})
			default:
				responses[strconv.Itoa(code)] = object{"description": "done"}
				responses["default"] = object{"description": "refused, in text"}
			}
			op["responses"] = responses
			item[strings.ToLower(method)] = op
		}
		if _, twice := paths[path]; twice {
			return nil, fmt.Errorf("openapi: two routes at %s", path)
		}
		paths[path] = item
	}
	schemas["Error"] = object{"type": "object", "required": []string{"status", "error", "errorType"}, "properties": object{
		"status": object{"const": "error"}, "error": object{"type": "string"}, "errorType": object{"type": "string"},
	}}
	b, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "upid", "version": version, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "Answers are in the envelope of Prometheus. x-role says who may call: viewers whoever reaches the listener, operators and admins from this machine with --web.enable-lifecycle.",
		},
		"paths": paths, "components": object{"schemas": schemas},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return append(b, '\n'), nil
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// schemaOf returns the schema of what encoding/json makes of a type. Structs with a name go
// into schemas and are referred to.
func schemaOf(t reflect.Type, schemas map[string]any) map[string]any {
	type object = map[string]any
	switch t.Kind() { //nolint:exhaustive // what no answer holds may be anything
	case reflect.Pointer:
		s := schemaOf(t.Elem(), schemas)
		if kind, ok := s["type"].(string); ok {
			s["type"] = []string{kind, "null"}
			return s
		}
		return object{"anyOf": []object{s, {"type": "null"}}}
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
		return object{"type": "array", "items": schemaOf(t.Elem(), schemas)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), schemas)}
	case reflect.Struct:
		if _, done := schemas[t.Name()]; !done {
			schemas[t.Name()] = object{} // so that a type that holds itself ends
			properties, required := object{}, []string{}
			fields(t, properties, &required, schemas)
			slices.Sort(required)
			schemas[t.Name()] = object{"type": "object", "properties": properties, "required": required}
		}
		return object{"$ref": "#/components/schemas/" + t.Name()}
	}
	return object{}
}

// fields adds the fields of a struct as encoding/json names them.
func fields(t reflect.Type, properties map[string]any, required *[]string, schemas map[string]any) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			fields(f.Type, properties, required, schemas)
		case !f.IsExported() || name == "-":
		default:
			if name == "" {
				name = f.Name
			}
			properties[name] = schemaOf(f.Type, schemas)
			if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
				*required = append(*required, name)
			}
		}
	}
}

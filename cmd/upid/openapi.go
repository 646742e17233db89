package main

import (
	"net/http"
	"slices"

	"github.com/upid/upid/collector/web"
)

// apiVersion is that of the HTTP API, in its paths and its description.
const apiVersion = "v1"

// apiRoutes are all routes of the sidecar beside those of the server itself.
func (s *sidecar) apiRoutes() []web.Route {
	return slices.Concat(s.views.Routes(), s.learned.Routes(), s.statusRoutes(), []web.Route{{
		Path: "/api/v1/openapi.json", Methods: []string{http.MethodGet}, Role: web.Viewer, Name: "api_openapi", About: "This API, as OpenAPI", Serve: s.serveOpenAPI,
	}})
}

func (s *sidecar) serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	b, err := web.OpenAPI(s.web.Routes(), apiVersion)
	if err != nil {
		web.Refuse(w, http.StatusInternalServerError, "internal", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // the reader may have gone
}

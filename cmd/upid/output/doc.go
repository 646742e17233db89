// Package output writes what commands print: records as CSV, JSON or YAML, and
// for people tables, sparklines and a progress bar.
package output

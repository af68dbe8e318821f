// Package report says what a capture's connections were, for people and for
// machines.
//
// A Report stands between the tracker and the outputs: it is the tracker's
// Observer, keeps what the selection asks for (--where, --stream, --since,
// --until), counts the summary and the services, has package detect look for
// findings, and hands every connection to the Formatters in the order of (time,
// frame, id). It never sees a packet's bytes, and it prints only into the writers
// that it was given.
//
// The names of the JSON fields live in record.go, transition.go, summary.go,
// service.go, capture.go and findingjson.go; the JSON Schema in schema/
// describes the same, and a test holds all outputs against it. They are a
// contract and are never renamed.
package report

// Package metrics tells Prometheus of a live capture.
//
// A Collector makes all series of a scrape from one report.Snapshot, so that they agree
// with each other. What it tells is bounded whatever the network sends: labels are
// words of this program (states, kinds of close, classes of RST, ids of findings),
// never an address, a port or a text from a packet. Every series is there from the
// first scrape on, with 0, but for findings at a severity that is not their usual one.
// The words are those of the JSON records.
package metrics

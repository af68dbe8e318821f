// Package detect is the catalogue of findings: what can be wrong with
// connections, how that is proven, who must act and how.
//
// A detector is one file and one value: its id, its rule in words, its
// thresholds with their sources, an example and the advice, and a function that
// makes a Watcher. Catalogue lists them; documentation, the README's table and
// "tcpstate findings" are made from the values.
//
// The way of the data: the tracker tells of each life that is over (or still
// open when the capture ends) with a tracker.Case: the life, its trail of
// notable segments and its ends' accounts. The Engine notes it for its
// service and hands it to the detectors that asked for its signs. At the end the engine
// judges the capture's quality, then asks each detector for its findings, those
// that swallow others first.
//
// Rules that hold for all: confirmed facts only; one finding for each (id,
// subject); what a capture cannot decide is withheld or lowered, and says why.
package detect

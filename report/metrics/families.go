package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"tcpstate/capture"
)

// The families of a scrape. Each line is the documentation of one: its help goes out with it.
var (
	endpoints = family("endpoints", "Endpoints now in a state of RFC 9293, by how sure that is. CLOSED has those of connections that are over.", "state", "certainty")
	peaks     = family("endpoints_peak", "The most endpoints that were in a state at one time since the beginning.", "state")
	followed  = family("connections", "Connections that are followed, by the state that the end in a role is in: each counts once by its client and once by its server.", "role", "state")
	open      = family("connections_open", "Connections that are neither over nor in TIME-WAIT.")
	opened    = family("connections_opened_total", "Connections since the beginning, attempts and those that began before the capture among them.")
	closed    = family("connections_closed_total", "Connections that are over, by how they ended.", "kind")
	evicted   = family("connections_evicted_total", "Connections that gave way for want of room: told of before their end, forgotten after it, or not searched for findings.")
	folded    = family("connections_folded_total", "Connections that were only counted, for want of room.")
	resets    = family("resets_total", "Segments with RST, by what the RST was.", "class")
	findings  = family("findings_active", "Findings that hold now, one for each subject. Each id is there with its usual severity, and with another one while it has that.", "id", "severity")
	handshake = family("handshake_rtt_seconds", "Time from the last copy of the SYN to the ACK that completed the handshake.")

	packets  = family("packets_total", "Packets captured, with or without TCP.")
	segments = family("segments_total", "TCP segments in them, selected or not.")
	selected = family("segments_selected_total", "TCP segments that were analysed.")
	dropped  = family("packets_dropped_total", "Packets that were never seen, by who dropped them: the kernel for want of buffer space, or the interface.", "by")
	skipped  = family("packets_skipped_total", "Packets that claim to be IP and were not analysed, by reason.", "reason")

	lostLines   = family("output_lines_lost_total", "Lines of output that were dropped because who reads them was too slow.")
	lostPackets = family("output_packets_lost_total", "Packets that were analysed and not written to a file, because the disk was too slow.")

	until  = family("analysis_timestamp_seconds", "Packet time until which all this holds; it goes on while nothing is heard. 0 before the first packet.")
	memory = family("memory_bytes", "Memory that the Go runtime of this process holds; libpcap's buffers are not in it.")
	build  = family("build_info", "Always 1; the label is the version of this program.", "version")
)

// families are all of them.
var families = []*prometheus.Desc{
	endpoints, peaks, followed, open, opened, closed, evicted, folded, resets, findings, handshake,
	packets, segments, selected, dropped, skipped, lostLines, lostPackets, until, memory, build,
}

func family(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tcpstate_"+name, help, labels, nil)
}

// roles are the words for tracker.Client and tracker.Server.
var roles = [2]string{"client", "server"}

// elsewise stands for what has no word of its own: a label's values are a closed list.
const elsewise = "other"

// reasons are all that packets are skipped for.
var reasons = append(capture.SkipReasons(), elsewise)

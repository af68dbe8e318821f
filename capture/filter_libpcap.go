//go:build cgo && !nolibpcap

package capture

import (
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcap"
	"golang.org/x/net/bpf"
)

const haveLibpcap = true

// compile lets libpcap translate an expression for a link type (a DLT_ value
// below 256).
func compile(expr string, link uint32) ([]bpf.RawInstruction, error) {
	if link > 0xff {
		return nil, &FilterError{Expr: expr, Reason: "no filters on " + LinkName(link)}
	}
	prog, err := pcap.CompileBPFFilter(layers.LinkType(link), MaxRecord, expr)
	if err != nil {
		return nil, &FilterError{Expr: expr, Reason: err.Error()}
	}
	raw := make([]bpf.RawInstruction, len(prog))
	for i, p := range prog {
		raw[i] = bpf.RawInstruction{Op: p.Code, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	return raw, nil
}

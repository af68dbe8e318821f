package capture

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

// filter is a pcap filter expression with the programs that it compiles to,
// one for each link type.
type filter struct {
	expr  string
	progs map[uint32]*program
}

// newFilter returns nil for an empty expression. Nothing is compiled yet: what
// an expression means, and whether it means anything, depends on the link.
func newFilter(expr string) (*filter, error) {
	if expr == "" {
		return nil, nil
	}
	if !haveLibpcap {
		return nil, ErrNoLibpcap
	}
	return &filter{expr: expr, progs: make(map[uint32]*program)}, nil
}

// program compiles the expression for a link type.
func (f *filter) program(link uint32) (*program, error) {
	if p := f.progs[link]; p != nil {
		return p, nil
	}
	p := new(program)
	as := link
	switch link {
	case linkSLL2:
		// gopacket has no room for link types above 255. Cooked v2 is v1
		// with the header rearranged: rearrange it back.
		as, p.cooked2 = linkSLL, true
	case linkRaw, linkIPv4, linkIPv6, linkRawOpenBSD:
		as = linkRawBSD // libpcap's own number for raw IP
	}
	raw, err := compile(f.expr, as)
	if err != nil {
		return nil, err
	}
	if err := p.load(raw); err != nil {
		return nil, &FilterError{Expr: f.expr, Reason: err.Error()}
	}
	f.progs[link] = p
	return p, nil
}

// program is a compiled filter.
type program struct {
	vm      *bpf.VM
	code    []bpf.Instruction
	lens    []int // where the code asks for the frame's length
	wire    int   // the length that stands there now
	cooked2 bool
	scratch []byte
}

// load makes a machine for the instructions. The machine takes the length of
// what was captured for the frame's length, which is wrong for "greater" and
// "less" on cut frames: the loads of it become constants, set for each frame.
func (p *program) load(raw []bpf.RawInstruction) error {
	p.code = make([]bpf.Instruction, len(raw))
	for i, r := range raw {
		p.code[i] = r.Disassemble()
		if e, ok := p.code[i].(bpf.LoadExtension); ok && e.Num == bpf.ExtLen {
			p.lens = append(p.lens, i)
			p.code[i] = bpf.LoadConstant{Dst: bpf.RegA}
		}
		// "ldx len" has no form in the package, and libpcap does not emit it.
	}
	return p.remake()
}

func (p *program) remake() (err error) {
	p.vm, err = bpf.NewVM(p.code)
	return err
}

// match reports whether the filter takes a frame of wire octets, of which b
// was captured. A load beyond b rejects the frame, as in libpcap.
func (p *program) match(b []byte, wire int) bool {
	if p.cooked2 {
		if len(b) < 20 {
			return false
		}
		b, wire = p.uncook(b), wire-4
	}
	if len(p.lens) > 0 && wire != p.wire {
		for _, i := range p.lens {
			p.code[i] = bpf.LoadConstant{Dst: bpf.RegA, Val: uint32(wire)}
		}
		if p.remake() != nil {
			return false
		}
		p.wire = wire
	}
	n, err := p.vm.Run(b)
	return err == nil && n != 0
}

// uncook turns a Linux cooked v2 header (20 octets: protocol, reserved, index,
// ARP type, packet type, address length, address) into a v1 header (16 octets:
// packet type, ARP type, address length, address, protocol).
func (p *program) uncook(b []byte) []byte {
	h := append(p.scratch[:0], 0, b[10])
	h = append(h, b[8:10]...)
	h = binary.BigEndian.AppendUint16(h, uint16(b[11]))
	h = append(h, b[12:20]...)
	h = append(h, b[0:2]...)
	p.scratch = append(h, b[20:]...)
	return p.scratch
}

package capture

import (
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// landings are the layers at which this package's own decoders take over from
// gopacket again, and the one behind which nothing comes but more of the same: an
// information element of 802.11 takes two octets of a frame that may have millions, and
// gopacket would make an object of each.
var landings = gopacket.NewLayerClass([]gopacket.LayerType{
	layers.LayerTypeIPv4, layers.LayerTypeIPv6, layers.LayerTypeEthernet, layers.LayerTypeLLC, layers.LayerTypePPP,
	layers.LayerTypeDot11InformationElement,
})

// slowOptions: one layer at a time, so that nothing above the landing is ever
// decoded; a copy, for gopacket moves octets about in what it decodes (the padding of a
// radiotap frame), which others read after it; and its own recovery, which formats a
// stack trace for each frame that it cannot read, off.
var slowOptions = gopacket.DecodeOptions{Lazy: true, SkipDecodeRecovery: true}

// slowLink decodes a frame whose link type is not known here: gopacket peels
// it down to a layer that is. It allocates, and is for links that few
// captures have (802.11, FDDI, pflog ...). gopacket indexes without looking
// at the length; what it throws at a cut frame is contained and counted.
func (d *decoder) slowLink(link uint32, p []byte, wire int, s *Segment) (ok bool) {
	if link > 0xff || layers.LinkTypeMetadata[link].Name == "UnknownLinkType" || link == linkUSBLinux {
		return d.skip(unknownLink)
	}
	whole := len(p)
	if link == linkDot11 || link == linkPrism {
		// gopacket takes the last four octets for a frame check sequence, which these
		// links seldom have. What has one has it cut off by IP's length.
		p = append(p[:whole:whole], 0, 0, 0, 0)
	}
	kind, rest := peel(layers.LinkType(link), p)
	switch kind {
	case landedPanic:
		return d.skip(decoderPanic)
	case landedIP:
		return d.rawIP(rest, wire-(whole-len(rest)), s)
	case landedEthernet:
		return d.ethernet(rest, wire-(whole-len(rest)), s)
	case landedLLC:
		return d.llc(rest, wire-(whole-len(rest)), s)
	case landedPPP:
		return d.ppp(rest, wire-(whole-len(rest)), s)
	}
	return false
}

// landing is where peel arrived.
type landing uint8

const (
	landedNowhere landing = iota
	landedPanic
	landedIP
	landedEthernet
	landedLLC
	landedPPP
)

// peel lets gopacket decode p until a layer of landings, and returns what
// begins there.
func peel(link layers.LinkType, p []byte) (kind landing, rest []byte) {
	defer func() {
		if recover() != nil {
			kind, rest = landedPanic, nil
		}
	}()
	if len(p) == 0 {
		return landedNowhere, nil
	}
	l := gopacket.NewPacket(p, link, slowOptions).LayerClass(landings)
	if l == nil {
		return landedNowhere, nil
	}
	head, body := l.LayerContents(), l.LayerPayload()
	switch l.LayerType() {
	case layers.LayerTypeIPv4, layers.LayerTypeIPv6:
		kind = landedIP
	case layers.LayerTypeEthernet:
		kind = landedEthernet
	case layers.LayerTypeLLC:
		kind = landedLLC
	case layers.LayerTypePPP:
		kind = landedPPP
	default:
		return landedNowhere, nil
	}
	n := len(head) + len(body)
	if len(body) > 0 && cap(head) >= n && &head[:n][len(head)] == &body[0] {
		return kind, head[:n]
	}
	return kind, append(append([]byte(nil), head...), body...)
}

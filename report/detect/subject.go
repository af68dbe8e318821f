package detect

import (
	"fmt"
	"net/netip"
)

// Server is a listening endpoint.
func Server(a netip.AddrPort) string { return "server " + a.String() }

// Flow is a client host towards a server.
func Flow(client netip.Addr, server netip.AddrPort) string {
	return "client " + client.String() + " → server " + server.String()
}

// Host is one host.
func Host(a netip.Addr) string { return "host " + a.String() }

// Hosts is what one host sends to another.
func Hosts(a, b netip.Addr) string { return "host " + a.String() + " → " + b.String() }

// Endpoint is one end of connections.
func Endpoint(a netip.AddrPort) string { return "endpoint " + a.String() }

// Service is one side of a service: the server's own endpoints, or those of
// its clients.
func Service(server netip.AddrPort, side int) string {
	return fmt.Sprintf("service %s, %s side", server, sideNames[side])
}

// Router is who sent an ICMP error.
func Router(a netip.Addr) string { return "router " + a.String() }

// Connection is one connection, by its stream number.
func Connection(id uint64) string { return fmt.Sprintf("connection %d", id) }

// WholeCapture is the capture itself.
const WholeCapture = "capture"

// sideNames are the words for tracker.Client and tracker.Server.
var sideNames = [2]string{"client", "server"}

// blameOf is the blame of a side.
func blameOf(side int) Blame { return [2]Blame{BlameClient, BlameServer}[side] }

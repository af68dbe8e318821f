package policy

// What closures read, by the names that expressions have for it. A test holds this and
// the types in env.go together. Times are left to the machine.

func texts[T any](f func(*T) string) value[T]     { return value[T]{kind: kindString, s: f} }
func wholes[T any](f func(*T) int) value[T]       { return value[T]{kind: kindInt, i: f} }
func measures[T any](f func(*T) float64) value[T] { return value[T]{kind: kindFloat, f: f} }
func lists[T any](f func(*T) []string) value[T]   { return value[T]{kind: kindList, l: f} }

var connectionFields = map[string]value[connection]{
	"id":                                wholes(func(c *connection) int { return c.ID }),
	"incarnation":                       wholes(func(c *connection) int { return c.Incarnation }),
	"continues":                         measures(func(c *connection) float64 { return c.Continues }),
	"duration":                          measures(func(c *connection) float64 { return c.Duration }),
	"first_frame":                       wholes(func(c *connection) int { return c.FirstFrame }),
	"last_frame":                        wholes(func(c *connection) int { return c.LastFrame }),
	"vlan":                              measures(func(c *connection) float64 { return c.VLAN }),
	"client.addr":                       texts(func(c *connection) string { return c.Client.Addr }),
	"client.port":                       wholes(func(c *connection) int { return c.Client.Port }),
	"client.state":                      texts(func(c *connection) string { return c.Client.State }),
	"client.certainty":                  texts(func(c *connection) string { return c.Client.Certainty }),
	"client.packets":                    wholes(func(c *connection) int { return c.Client.Packets }),
	"client.bytes":                      wholes(func(c *connection) int { return c.Client.Bytes }),
	"client.mss":                        measures(func(c *connection) float64 { return c.Client.MSS }),
	"client.wscale":                     measures(func(c *connection) float64 { return c.Client.WScale }),
	"client.retransmissions":            wholes(func(c *connection) int { return c.Client.Retransmissions }),
	"client.out_of_order":               wholes(func(c *connection) int { return c.Client.OutOfOrder }),
	"client.keepalives":                 wholes(func(c *connection) int { return c.Client.Keepalives }),
	"client.zero_windows":               wholes(func(c *connection) int { return c.Client.ZeroWindows }),
	"client.ttl":                        measures(func(c *connection) float64 { return c.Client.TTL }),
	"server.addr":                       texts(func(c *connection) string { return c.Server.Addr }),
	"server.port":                       wholes(func(c *connection) int { return c.Server.Port }),
	"server.state":                      texts(func(c *connection) string { return c.Server.State }),
	"server.certainty":                  texts(func(c *connection) string { return c.Server.Certainty }),
	"server.packets":                    wholes(func(c *connection) int { return c.Server.Packets }),
	"server.bytes":                      wholes(func(c *connection) int { return c.Server.Bytes }),
	"server.mss":                        measures(func(c *connection) float64 { return c.Server.MSS }),
	"server.wscale":                     measures(func(c *connection) float64 { return c.Server.WScale }),
	"server.retransmissions":            wholes(func(c *connection) int { return c.Server.Retransmissions }),
	"server.out_of_order":               wholes(func(c *connection) int { return c.Server.OutOfOrder }),
	"server.keepalives":                 wholes(func(c *connection) int { return c.Server.Keepalives }),
	"server.zero_windows":               wholes(func(c *connection) int { return c.Server.ZeroWindows }),
	"server.ttl":                        measures(func(c *connection) float64 { return c.Server.TTL }),
	"roles":                             texts(func(c *connection) string { return c.Roles }),
	"close.kind":                        texts(func(c *connection) string { return c.Close.Kind }),
	"close.by":                          texts(func(c *connection) string { return c.Close.By }),
	"close.frame":                       measures(func(c *connection) float64 { return c.Close.Frame }),
	"close.reset":                       texts(func(c *connection) string { return c.Close.Reset }),
	"midstream":                         truth(func(c *connection) bool { return c.Midstream }),
	"handshake.rtt":                     measures(func(c *connection) float64 { return c.Handshake.RTT }),
	"handshake.syn_retransmissions":     wholes(func(c *connection) int { return c.Handshake.SynRetransmissions }),
	"handshake.syn_ack_retransmissions": wholes(func(c *connection) int { return c.Handshake.SynAckRetransmissions }),
	"time_wait.endpoint":                texts(func(c *connection) string { return c.TimeWait.Endpoint }),
	"half_closed_for":                   measures(func(c *connection) float64 { return c.HalfClosedFor }),
	"zeek.conn_state":                   texts(func(c *connection) string { return c.Zeek.ConnState }),
	"zeek.history":                      texts(func(c *connection) string { return c.Zeek.History }),
	"completeness":                      wholes(func(c *connection) int { return c.Completeness }),
	"findings":                          lists(func(c *connection) []string { return c.Findings }),
}

var transitionFields = map[string]value[transition]{
	"frame":     wholes(func(t *transition) int { return t.Frame }),
	"id":        wholes(func(t *transition) int { return t.ID }),
	"endpoint":  texts(func(t *transition) string { return t.Endpoint }),
	"local":     texts(func(t *transition) string { return t.Local }),
	"remote":    texts(func(t *transition) string { return t.Remote }),
	"from":      texts(func(t *transition) string { return t.From }),
	"to":        texts(func(t *transition) string { return t.To }),
	"certainty": texts(func(t *transition) string { return t.Certainty }),
	"rule":      texts(func(t *transition) string { return t.Rule }),
}

package tracker

// Rule is the id of a row of the two tables, or of a timer. Each names the
// RFC section, the kernel function or the recorded scenario that it follows.
type Rule uint8

// The rules, in the order of a connection's life.
const (
	RuleNone Rule = iota
	RuleSyn
	RuleSynAgain
	RuleNewLife
	RuleSynOld
	RuleSynOldRefused
	RuleSynOldSilent
	RuleSynUnseen
	RuleSynAfterRefusal
	RuleSynCross
	RuleSynAck
	RuleSynAckCross
	RuleSynAckAgain
	RuleSynAckDemote
	RuleSynAckDelivered
	RuleAckOfSyn
	RuleAckOfSynAck
	RuleSpoke
	RuleMidstream
	RuleClosedBefore
	RuleClosedBeforeNot
	RuleFin
	RuleFinShort
	RuleFinLastAck
	RuleFinAgain
	RuleFinUnheard
	RuleFinLost
	RuleFinLostNot
	RuleFinDelivered
	RuleAckOfFin
	RuleAckFin
	RuleAckFinClosing
	RuleAckFinTimeWait
	RuleAckShort
	RuleRstSent
	RuleRstShort
	RuleRstAnswers
	RuleRstBare
	RuleRstDelivered
	RuleRstRefused
	RuleRstTimeWait
	RuleTalksAfterOwnRst
	RuleTalksAfterRst
	RuleTalksAfterTimer
	RuleCookie
	RuleCookieSpoke
	RuleUnreachable
	RuleSynElapsed
	RuleSynAckElapsed
	RuleFinElapsed
	RuleFinWait2Elapsed
	RuleTimeWaitElapsed
	NumRules
)

type ruleText struct{ name, source, why string }

var rules = [NumRules]ruleText{
	RuleNone:             {"", "", ""},
	RuleSyn:              {"syn", "RFC 9293 section 3.10.1", "it sends SYN: active open"},
	RuleSynAgain:         {"syn-again", "RFC 6298 section 5; RFC 9293 section 3.8.1", "it repeats its SYN, so nothing acceptable has answered"},
	RuleNewLife:          {"new-life", "RFC 9293 sections 3.4.2 and 3.10.1", "it begins anew, so the connection before was over"},
	RuleSynOld:           {"syn-old", "RFC 9293 section 3.4.2", "a SYN older than what it sent before may be a stale duplicate or forged"},
	RuleSynOldRefused:    {"syn-old-refused", "RFC 9293 section 3.5.2", "its RST shows that the old SYN was not its own"},
	RuleSynOldSilent:     {"syn-old-silent", "RFC 6298 section 5", "the old SYN was not repeated: nobody stands behind it"},
	RuleSynUnseen:        {"syn-unseen", "RFC 9293 section 3.5", "a SYN,ACK towards it answers a SYN that the capture missed"},
	RuleSynAfterRefusal:  {"syn-after-refusal", "RFC 9293 section 3.10.7.3", "it repeats its SYN, so the refusal did not arrive"},
	RuleSynCross:         {"syn-cross", "RFC 9293 section 3.5, figure 7", "both ends sent a SYN: simultaneous open"},
	RuleSynAck:           {"syn-ack", "RFC 9293 section 3.10.7.2; RFC 4987 section 3.6", "it answers a SYN; a cookie would leave no state"},
	RuleSynAckCross:      {"syn-ack-cross", "RFC 9293 section 3.5, figure 7", "its SYN,ACK repeats the number of its SYN: simultaneous open"},
	RuleSynAckAgain:      {"syn-ack-again", "RFC 9293 section 3.8.1; Linux reqsk_timer_handler", "a timer repeats its SYN,ACK: there is state, and no ACK was taken"},
	RuleSynAckDemote:     {"syn-ack-demote", "Linux tcp_check_req, tcp_v4_syn_recv_sock", "it repeats its SYN,ACK after the ACK must have come: it did not take it"},
	RuleSynAckDelivered:  {"syn-ack-delivered", "RFC 9293 section 3.10.7.3", "an acceptable SYN,ACK is on its way to it"},
	RuleAckOfSyn:         {"ack-of-syn", "RFC 9293 section 3.10.7.4, fifth", "the ACK of its SYN is on its way to it"},
	RuleAckOfSynAck:      {"ack-of-syn-ack", "RFC 9293 section 3.10.7.3", "it acknowledges the peer's SYN"},
	RuleSpoke:            {"spoke", "RFC 9293 section 3.10.7.4; Linux inet_csk_complete_hashdance", "only a synchronised TCP sends this"},
	RuleMidstream:        {"midstream", "RFC 9293 section 3.3.2", "the capture began after the handshake"},
	RuleClosedBefore:     {"closed-before", "Linux tcp_fin, __tcp_ack_snd_check; oracle 31_midstream", "it acknowledges the FIN at once and sends nothing else: it had closed before the capture began"},
	RuleClosedBeforeNot:  {"closed-before-not", "RFC 9293 section 3.10.4", "it has data or a FIN to send: it had not closed"},
	RuleFin:              {"fin", "RFC 9293 section 3.10.4", "it sends FIN before the peer's was received"},
	RuleFinShort:         {"fin-short", "RFC 9293 section 3.10.4", "its FIN does not acknowledge the peer's: it was sent before that came"},
	RuleFinLastAck:       {"fin-last-ack", "RFC 9293 section 3.10.4", "it sends FIN after the peer's"},
	RuleFinAgain:         {"fin-again", "RFC 9293 section 3.8.1", "it repeats its FIN, so the acknowledgment seen did not arrive"},
	RuleFinUnheard:       {"fin-unheard", "RFC 9293 section 3.8.1", "the peer repeats its FIN and was never acknowledged: the first did not arrive"},
	RuleFinLost:          {"fin-lost", "RFC 9293 section 3.4", "its number is one past what was seen: a FIN was lost before the vantage point"},
	RuleFinLostNot:       {"fin-lost-not", "RFC 9293 section 3.4", "what was taken for a lost FIN was data"},
	RuleFinDelivered:     {"fin-delivered", "RFC 9293 section 3.10.7.4, eighth", "the peer's FIN, in order, is on its way to it"},
	RuleAckOfFin:         {"ack-of-fin", "RFC 9293 section 3.10.7.4, fifth", "the ACK of its FIN is on its way to it"},
	RuleAckFin:           {"ack-fin", "RFC 9293 section 3.10.7.4, eighth", "it acknowledges the peer's FIN and has sent none"},
	RuleAckFinClosing:    {"ack-fin-closing", "RFC 9293 section 3.6, figure 13", "it acknowledges the peer's FIN while its own is not acknowledged"},
	RuleAckFinTimeWait:   {"ack-fin-time-wait", "RFC 9293 section 3.6, figure 12", "it acknowledges the peer's FIN, its own being acknowledged"},
	RuleAckShort:         {"ack-short", "RFC 9293 section 3.10.7.4", "it does not acknowledge the FIN that must have come: it did not"},
	RuleRstSent:          {"rst", "RFC 9293 section 3.10.5", "it sends RST,ACK at SND.NXT: abort"},
	RuleRstShort:         {"rst-short", "RFC 9293 section 3.10.5", "its RST does not acknowledge the peer's FIN: that had not come"},
	RuleRstAnswers:       {"rst-answers", "RFC 9293 section 3.10.7.1", "its RST carries the number that the peer's segment acknowledges: it holds no such connection"},
	RuleRstBare:          {"rst-bare", "RFC 9293 section 3.5.2", "a RST at SND.NXT that answers nothing; it may be forged"},
	RuleRstDelivered:     {"rst-delivered", "RFC 5961 section 3.2; RFC 9293 section 3.10.7.4, second", "a RST exactly at RCV.NXT is on its way to it"},
	RuleRstRefused:       {"rst-refused", "RFC 9293 section 3.10.7.3, second", "a RST acknowledges its SYN"},
	RuleRstTimeWait:      {"rst-time-wait", "RFC 1337; Linux tcp_timewait_state_process", "a RST ends TIME-WAIT where tcp_rfc1337 is 0"},
	RuleTalksAfterOwnRst: {"talks-after-own-rst", "Weaver, Sommer and Paxson, NDSS 2009", "it goes on after its RST: the RST was not its own"},
	RuleTalksAfterRst:    {"talks-after-rst", "RFC 5961 section 3.2", "it goes on after the peer's RST: not arrived, or not accepted"},
	RuleTalksAfterTimer:  {"talks-after-timer", "RFC 9293 section 3.8.3", "it goes on after the time it was given"},
	RuleCookie:           {"cookie", "RFC 4987 section 3.6; Linux cookie_v4_init_sequence", "its SYN,ACK was never repeated and nothing else came: no state stands behind it"},
	RuleCookieSpoke:      {"cookie-spoke", "Linux cookie_v4_check", "it sends: the cookie came back and made a connection"},
	RuleUnreachable:      {"unreachable", "RFC 1122 section 4.2.3.9; Linux tcp_v4_err", "an ICMP error that quotes its SYN is on its way to it"},
	RuleSynElapsed:       {"syn-elapsed", "RFC 9293 section 3.8.3; Linux tcp_write_timeout", "the SYN's next repeat did not come"},
	RuleSynAckElapsed:    {"syn-ack-elapsed", "Linux reqsk_timer_handler", "the SYN,ACK's next repeat did not come"},
	RuleFinElapsed:       {"fin-elapsed", "RFC 9293 section 3.8.3; Linux tcp_orphan_retries", "the FIN's next repeat did not come"},
	RuleFinWait2Elapsed:  {"fin-wait-2-elapsed", "Linux tcp_fin_timeout; oracle 06_close_wait_leak", "its RST shows that it had given FIN-WAIT-2 up: an orphan keeps it no longer than the FIN timeout"},
	RuleTimeWaitElapsed:  {"time-wait-elapsed", "RFC 9293 section 3.6.1", "2MSL since the last FIN"},
}

// Name is the rule's stable name, as printed in transitions.
func (r Rule) Name() string { return rules[r].name }

// Source is the RFC section, kernel function or paper that the rule follows.
func (r Rule) Source() string { return rules[r].source }

// Why is one line of reason.
func (r Rule) Why() string { return rules[r].why }

// RuleByName finds a rule by its stable name.
func RuleByName(name string) (Rule, bool) {
	for r := Rule(1); r < NumRules; r++ {
		if rules[r].name == name {
			return r, true
		}
	}
	return 0, false
}

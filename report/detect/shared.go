package detect

// shared is what several detectors want of a case, and what they keep together.
type shared struct {
	services services
	tries    tryLog
	deaths   *deaths  // nil where middlebox-state-expired is disabled
	met               // of the case that is handed on
	trail    *outline // likewise; of lives that show one of outlined
	slip     *slip    // likewise
}

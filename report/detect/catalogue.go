package detect

// Catalogue lists all detectors, by chapter: opening, established life,
// closing, the capture itself. A new one is a file and a line here.
var Catalogue = []*Detector{
	// Opening
	Refused,

	// Established life

	// Closing

	// The capture itself
	CaptureQuality,
}

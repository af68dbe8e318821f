package detect

// OneByOne makes the engine hand on each life when it is told of, with all that
// belongs to it, ordinary ones too.
func (g *Engine) OneByOne() { g.slips, g.most = false, 1 }

package pace

import "time"

// Woke lets a test say how late a nap ended.
func (p *Pace) Woke(late time.Duration) { p.woke(time.Now(), late) }

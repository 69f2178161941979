package group

func (m *Machine) rebalanceDue(t *turn, g *classicGroup)                   {}
func (m *Machine) syncDue(t *turn, g *classicGroup)                        {}
func (m *Machine) sessionDue(t *turn, g *classicGroup, mem *classicMember) {}
func (m *Machine) clean(t *turn)                                           {}

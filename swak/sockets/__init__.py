"""Events over sockets: servers of one thread that never block, and clients with an end to every wait."""

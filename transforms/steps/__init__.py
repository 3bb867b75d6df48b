"""The Beam steps: a module is one step, with the name that its row in the README and in the graph bears."""

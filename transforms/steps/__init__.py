"""The Beam steps: a module is one step, with the name that its row in the README and in the graph bears.

Whoever imports a step has registered the coder that refuses: in no graph can what a step leaves in clear be encoded.
"""

from transforms.steps import refusing_coder

refusing_coder.register()

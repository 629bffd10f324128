"""Models by role: the data that crosses the model door. Agents use `interlock.agents.model`."""

from interlock.models.contract import Binding, ModelAnswer, ModelCall, ModelPort, Usage

__all__ = ["Binding", "ModelAnswer", "ModelCall", "ModelPort", "Usage"]

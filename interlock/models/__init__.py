"""Models by role: what agent code calls, and the data that crosses the model door."""

from interlock.models.chat import ChatModel, model
from interlock.models.contract import Binding, ModelAnswer, ModelCall, ModelPort, Usage

__all__ = ["Binding", "ChatModel", "ModelAnswer", "ModelCall", "ModelPort", "Usage", "model"]

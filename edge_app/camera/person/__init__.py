"""A drawn person: joint-angle programs, kinematics and pictures. It is the embedded source and the data engine."""

from edge_app.camera.person.actions import ACTIONS, perform
from edge_app.camera.person.draw import Camera, Look, Painter, Sensor
from edge_app.camera.person.kinematics import BONES, INDEX, JOINTS, Body, core15, landmarks33
from edge_app.camera.person.motion import Style

__all__ = ["ACTIONS", "BONES", "INDEX", "JOINTS", "Body", "Camera", "Look", "Painter", "Sensor", "Style", "core15",
           "landmarks33", "perform"]  # fmt: skip

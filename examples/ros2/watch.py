"""A ROS 2 node that tells what to act on: python3 watch.py [CAMERA]. Not tested: no ROS was at hand (see README.md)."""

import sys

import rclpy
from edge_app_msgs.msg import Action, State
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.time import Time

MAX_AGE = Duration(seconds=1)
CURRENT = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Watch(Node):
    def __init__(self, camera: str) -> None:
        super().__init__("watch_actions")
        self._running, self._heard = False, self.get_clock().now()
        self.create_subscription(State, f"/edge_app/{camera}/state", self._on_state, qos_profile_sensor_data)
        self.create_subscription(Action, f"/edge_app/{camera}/action", self._on_action, CURRENT)
        self.create_timer(0.5, self._on_timer)

    def _on_state(self, message: State) -> None:
        self._heard = self.get_clock().now()
        self._set_running(message.state == "running" and self._is_fresh(message), message.state)

    def _on_action(self, message: Action) -> None:
        if message.type == "end":
            self.get_logger().info(f"end {message.label}: {message.reason}")
        elif self._is_fresh(message):
            self.get_logger().info(f"{message.type} {message.label} {message.score:.2f}")

    def _on_timer(self) -> None:
        if self.get_clock().now() - self._heard > Duration(seconds=3):
            self._set_running(False, "nothing heard for 3 s")

    def _is_fresh(self, message: Action | State) -> bool:
        stamp = Time.from_msg(message.header.stamp, clock_type=self.get_clock().clock_type)
        return self.get_clock().now() - stamp <= MAX_AGE

    def _set_running(self, running: bool, why: str) -> None:
        if running != self._running:
            self.get_logger().info("act" if running else f"do not act: {why}")
        self._running = running


rclpy.init()
rclpy.spin(Watch(sys.argv[1] if len(sys.argv) > 1 else "front"))

"""NVIDIA's Triton Inference Server, here or on another machine, through its official client."""

from __future__ import annotations

import importlib
import os
import re

import numpy as np

from edge_app.errors import UsageError
from edge_app.stream.endpoint import parse_host_port

LIMIT_S = 2.0
"""For one answer: what comes later would be too old for a label anyway, and `supervise.progress_s` is near."""
MODEL = "edge-encoder"
_ADDRESS = re.compile(r"(?:(grpc|grpcs|http)://)?([^/@\s]+:\d{1,5})(?:/([A-Za-z0-9._-]{1,64}))?")


class TritonSession:
    """A model on a server. The version it had at the start is asked for ever after: another one is an error.

    address: `[grpc://|grpcs://|http://]HOST:PORT[/MODEL]`. Windows are the joints of people: beyond this machine they
    go over TLS only (grpcs), and `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH` may name the authority of the server's certificate.

    Raises:
        UsageError: the address is malformed, the client is not installed, or there is no such server or model.
    """

    def __init__(self, address: str) -> None:
        scheme, host_port, model = parse_address(address)
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what went wrong is said once, by us
        try:
            kind = importlib.import_module("tritonclient.http" if scheme == "http" else "tritonclient.grpc")
        except ImportError:
            raise UsageError("tritonclient is not installed; pip install 'edge-app[triton]'") from None
        self._input, self._model = kind.InferInput, model
        try:
            if scheme == "http":
                self._client = kind.InferenceServerClient(
                    host_port, connection_timeout=LIMIT_S, network_timeout=LIMIT_S
                )
                self._limit, metadata = {}, self._client.get_model_metadata(model)
            else:
                # The pose stage sends every https proxy of its process nowhere (edge_app.pose.mediapipe).
                direct = [("grpc.enable_http_proxy", 0)]
                self._client = kind.InferenceServerClient(host_port, ssl=scheme == "grpcs", channel_args=direct)
                self._limit = {"client_timeout": LIMIT_S}
                metadata = self._client.get_model_metadata(model, as_json=True, **self._limit)
            self._version = metadata["versions"][-1]
            self._entry, self._exit = metadata["inputs"][0]["name"], metadata["outputs"][0]["name"]
            platform = re.match(r"[a-z0-9]{1,32}", metadata.get("platform", ""))
        except Exception as error:  # sockets, HTTP, gRPC and the client have their own classes
            problem = " ".join(str(error).split())[:200] or type(error).__name__
            raise UsageError(f"no model {model!r} on a Triton server at {host_port} ({problem})") from None
        self.provider = f"triton-{platform[0]}" if platform else "triton"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Raises what the client raises where no answer comes within `LIMIT_S`."""
        entry = self._input(self._entry, batch.shape, "FP32")
        entry.set_data_from_numpy(np.ascontiguousarray(batch, np.float32))
        answer = self._client.infer(self._model, [entry], model_version=self._version, **self._limit)
        return answer.as_numpy(self._exit)


def parse_address(address: str) -> tuple[str, str, str]:
    """Scheme, HOST:PORT and model.

    Raises:
        UsageError: malformed, or beyond this machine without TLS.
    """
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise UsageError(f"runtime.triton {address!a:.80}: allowed is [grpc://|grpcs://|http://]HOST:PORT[/MODEL]")
    scheme, host_port, model = found[1] or "grpc", found[2], found[3] or MODEL
    if scheme != "grpcs":
        try:
            here = parse_host_port(host_port)[0].is_loopback
        except ValueError:
            here = False
        if not here:
            raise UsageError(
                f"runtime.triton {address}: {scheme} is for this machine only; beyond it: grpcs://{host_port}"
            )
    return scheme, host_port, model

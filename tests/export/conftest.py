import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Of small networks a second thread only waits, and a verb may have asked for two."""
    torch.set_num_threads(1)

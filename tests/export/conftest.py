"""Small networks: a second thread of torch only waits."""

import torch

torch.set_num_threads(1)

import NexaTLS
